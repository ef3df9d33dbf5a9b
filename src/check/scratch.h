/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What checks of the labs do over and over: raw entries, pages and addresses that differ from seed to seed.
 *
 * Nothing here goes through a unit: entries are read and written in physical memory.
 */
#ifndef CHECK_SCRATCH_H
#define CHECK_SCRATCH_H

#include <hat/htable_impl.h>
#include <vm/page.h>

/** One entry of a table as it stands in memory, also of a table inside its hat (VLP). Ends the check when it cannot be read. */
x86pte_t raw_entry(const htable_t *ht, uint_t entry);
/** Store one entry behind everybody's back: no count, no flush. */
void put_raw(const htable_t *ht, uint_t entry, x86pte_t e);

/**
 * A free page for a user: which frame it is depends on the seed.
 * @return  exclusive-locked, for page_free(pp, 0); never NULL (the check ends)
 */
page_t *check_page(void);
/** A leaf of level 0 for a page: user, readable, and these bits. */
x86pte_t check_leaf(const page_t *pp, x86pte_t bits);
/**
 * A user address that depends on the seed: a multiple of LEVEL_SIZE(level), not in the first 4 MiB, and in a table at every
 * level below the top that has no kernel slot; in 64-bit kernels on either side of the hole. No two that a check draws (of the
 * first 16) are in the same table of level 0.
 */
uintptr_t check_va(level_t level);
/** For check_run.c: a check starts. */
void scratch_start(void);

#endif
