/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The invariant checker (docs/invariants.md): judges the HAT's structures against the raw tables, and trusts neither.
 *
 * Call at quiescent points only: no thread inside the HAT, no window mapped, no cross-call pending.
 */
#ifndef CHECK_INVARIANTS_H
#define CHECK_INVARIANTS_H

#include <vm/hat.h>

/** Judge everything. Each violation is a record `%invariant` and a line on the console. @return how many there were */
uint_t check_invariants(void);
/** Judge one hat only: structure, links, counts, entries. Nothing global. */
uint_t check_invariants_hat(hat_t *hat);
/**
 * A hat has been given up, with everything it has: whatever is missing from the global counts (N13, N14) right now is
 * its loss and is not reported again. @return false when the counts are off in the other direction: the kernel is not sound
 */
bool invariants_abandon(void);
/** Is there memory for a check already? Otherwise checking allocates some. */
bool invariants_ready(void);
/** N11: are the kernel's leaves counted right? For start-up, where nothing else can be judged yet; "when" goes into the report. */
void invariants_early(const char *when);
/** The last thing that a panic does: judge everything, if the checker has memory; what was being changed is broken too. */
void invariants_at_panic(void);
/** Get the checker's memory now; call once when kernel memory works, so that checking changes nothing later. */
void invariants_init(void);

#endif
