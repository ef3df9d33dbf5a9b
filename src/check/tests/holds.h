/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief For checks that survive a panic: holds that were being used then are nobody's, and are given back.
 */
#ifndef TESTS_HOLDS_H
#define TESTS_HOLDS_H

#include <check/check.h>
#include <hat/htable.h>

/** The table over va at a level, held; *busyp: how many holds it has, this one included. */
static inline htable_t *
hold(hat_t *hat, uintptr_t va, level_t level, int32_t *busyp)
{
	htable_t *ht = htable_lookup(hat, va, level);

	check_true(ht != NULL, "no table of level %d over 0x%lx", level, va);
	*busyp = ht->ht_busy;
	return (ht);
}

/** Give back all holds of a table but `busy` ones. NULL is accepted. */
static inline void
back_to(htable_t *ht, int32_t busy)
{
	while (ht != NULL && ht->ht_busy > busy)
		htable_release(ht);
}

#endif
