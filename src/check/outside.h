/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the hardware must see of a scratch address space, judged twice: here, and by the host.
 *
 * A check says beforehand what a correct kernel must produce; afterwards the tables in memory are compared with it, whole: every
 * leaf and every table of the user's part. Which frame a table has is the kernel's business; which frame a page has is not.
 */
#ifndef CHECK_OUTSIDE_H
#define CHECK_OUTSIDE_H

#include <vm/hat.h>
#include <x86/pte.h>

#define OUTSIDE_MAX 64 /**< leaves and tables that one check can expect */

/** One of them. Read by the host: its layout is part of docs/protocol.md. */
struct expected {
	uint64_t ex_va;    /**< first address that it maps */
	uint64_t ex_entry; /**< a leaf: its entry; a table: 0 */
	uint32_t ex_level;
	uint32_t ex_table; /**< 1: a table, 0: a leaf */
};

/** This leaf must be there, bit for bit; accessed and dirty may be set besides. Only before the first copy_on(). */
void expect_leaf(uintptr_t va, level_t level, x86pte_t entry);
/** A table of this level over va must be there, even if it is empty. Those above leaves and tables go without saying. */
void expect_table(uintptr_t va, level_t level);
/**
 * Compare, and let the host compare: runs `hat` on this CPU meanwhile. Ends the check as wrong at the first difference. Once
 * in a check, after copy_off().
 */
void check_outside(hat_t *hat);
/** Its first half: the first difference in words, or NULL. `hat` is in CR3, preemption is off. */
const char *outside_difference(void);

/** For check_run.c: a check starts, nothing is expected. */
void outside_start(void);

#endif
