/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 1 share: a scratch table with one entry to work on, and two pages for it.
 */
#ifndef LAB1_CHECKS_H
#define LAB1_CHECKS_H

#include <check/check.h>
#include <check/outside.h>
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <sys/peek.h>
#include <sys/thread.h>

/** Where a check acts: built by the reference, given back by drop(). The entries beside it are there, and empty. */
struct place {
	htable_t *ht;
	uintptr_t va;
	uint_t entry;
	page_t *a, *b;
};
extern struct place at;

/** A table over a user address that the seed chooses. */
void take(hat_t *hat);
/** The same over an address whose translation nothing else throws out of the TLB. */
void take_quiet(hat_t *hat);
/** What the check made, undone without the unit under test. Says copy_off(). */
void drop(void);

/** Only trial images record calls: n flushes asked for, the last one of this place's address. */
void want_flushes(hat_t *hat, uint_t n, const char *what);
/** The entry is `want` now, and those beside it are empty. */
void want_entry(x86pte_t want, const char *what);

/**
 * Run the hat here: its entry leads to page a, whose first word is 0x11111111; that of page b is 0x22222222. It has been read
 * once.
 */
void run_hat(hat_t *hat, x86pte_t entry);
/** Leave it again. */
void leave_hat(hat_t *hat);

/**
 * From here to copy_off(), the MMU comes in between: at the moment of the first exchange of this place's entry that would
 * succeed, it sets accessed and dirty in it.
 */
void race_on(void);
/** Has that happened? Ends the check when exchanges are recorded, and there was none. */
bool race_happened(void);

/** What an entry can hold in this mode of paging. */
static inline x86pte_t
narrowed(x86pte_t e)
{
	return (MMU_PAE ? e : (x86pte32_t)e);
}

/** A number that is no valid entry, but has bits in both halves. */
static inline x86pte_t
junk(void)
{
	return (narrowed((check_random(0xffffffffu) << 32 | check_random(0xffffffffu) << 1 | 0x10) & ~(x86pte_t)PT_VALID));
}

#endif
