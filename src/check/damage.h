/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Deliberate damage, `damage=KIND`: proof that the checker and `compare` notice, and name exactly that.
 */
#ifndef CHECK_DAMAGE_H
#define CHECK_DAMAGE_H

#include <sys/types.h>

/** `damage=list` prints all kinds with the invariants that must notice; else do the damage, let the checker look. */
void damage_main(void);
/** Was damage= given? */
bool damage_wanted(void);
/** After a checkpoint's dump: the kinds `after-*` change an entry that has just been shown. */
void damage_after_dump(const char *checkpoint);
/** After the host has looked: put it back, so that the run goes on. */
void damage_after_look(void);

#endif
