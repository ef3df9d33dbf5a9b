/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 8 share: a source with five pages in two tables, and what is seen of it. Reference code.
 *
 *     table A over origin.va                 pages at its first, fourth and last entry
 *     table B over the next LEVEL_SIZE(1)    pages at its third and sixth entry: it does not begin with one
 *
 * A check looks first (note_*), then puts everything back, and only then says what was wrong: a source whose counts are off is
 * the whole kernel's trouble.
 */
#ifndef LAB8_ORIGIN_H
#define LAB8_ORIGIN_H

#include <check/check.h>
#include <hat/htable_impl.h>
#include <vm/page.h>

#define NPAGES 5u
#define IN_A   3u /**< so many of them are in table A */

struct origin {
	hat_t *hat;
	uintptr_t va;
	page_t *page[NPAGES];
	uint_t at[NPAGES];        /**< where they are, in pages from va */
	htable_t *a, *b;          /**< its tables, not held: the pages keep them */
	int32_t a_busy, b_busy;   /**< their holds when nobody shares */
	ulong_t shared, unshared; /**< statistics at the start */
};
extern struct origin origin;

/** Make it, loaded with HAT_LOAD_SHARE. */
void origin_make(void);
/** Give it back. `force`: somebody has been there of whom nothing is known: counts are put back to what they were. */
void origin_end(bool force);
/** origin_end(true), for check_guarded(). */
void origin_rescue(void);
/** The source's leaf for page i, as it stands in memory. */
x86pte_t origin_leaf(uint_t i);
/** The same page mapped one by one in a client at va: locked there, and not recorded. */
x86pte_t single_leaf(hat_t *client, uintptr_t va, uint_t i);

/** An address of the user's, drawn from the seed: n whole tables of level 0 from it on lie below one table of level 1. */
uintptr_t room_for(uint_t n);
/** The table of level 0 over an address, not held, or NULL. */
htable_t *table_over(hat_t *hat, uintptr_t va);

/**
 * @name What was seen
 * The first thing that is not as it should be is remembered; note_end() tells it.
 * @{
 */
void note_start(void);
void note_eq(uint64_t have, uint64_t want, const char *what);
/** Has anything been wrong so far? */
bool note_wrong(void);
/** End the check if so. Everything must have been put back. */
void note_end(void);
/** check_outside(), unless something is wrong already; if it ends the check, `undo` comes first. */
void note_outside(hat_t *hat, void (*undo)(void));
/** @} */

#endif
