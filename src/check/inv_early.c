/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariant N11: what N9 says of the kernel's hat, at two moments of start-up when nothing else of the checker runs yet.
 *
 * Needs no memory and no chains: leaves are counted by the walker, from CR3.
 */
#include <check/invariants.h>
#include <check/inv_impl.h>
#include <check/peek_phys.h>
#include <check/walk.h>

#define EARLY_MAX 4

/** What was wrong then is reported whenever everything is judged. */
static struct {
	const char *when;
	level_t level;
	ulong_t want, have;
} early[EARLY_MAX];
static uint_t nearly;

/* The page windows, and the checker's own, which is pointing at the table that is being read. */
static bool
is_window(uintptr_t va)
{
	return (va == check_window_va || (va >= mmu.pwin_base && va < mmu.pwin_base + 2 * NCPU * PAGESIZE));
}

static bool
count_leaf(const walk_leaf_t *leaf, void *arg)
{
	ulong_t *leaves = arg;

	leaves[leaf->wl_level] += !is_window((uintptr_t)leaf->wl_va);
	return (true);
}

void
invariants_early(const char *when)
{
	ulong_t leaves[MAX_NUM_LEVEL] = { 0 };

	(void)walk_range(walk_mode(), walk_root(), 0, UINT64_MAX, count_leaf, leaves);
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		if (kas_hat->hat_pages_mapped[l] != leaves[l] && nearly < EARLY_MAX) {
			early[nearly].when = when;
			early[nearly].level = l;
			early[nearly].want = leaves[l];
			early[nearly++].have = kas_hat->hat_pages_mapped[l];
		}
}

void
inv_N11(void)
{
	for (uint_t i = 0; i < nearly; i++)
		inv_report(&inv.hats[0], NULL, early[i].want, early[i].have, "hat_pages_mapped[%d] was not the number of leaves %s",
		    early[i].level, early[i].when);
}
