/* notices: unshare-single */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Look at another address space's tables no longer.
 */
#include <hat/htable_impl.h>

/** If there is a shared table over va at this level, let it go: with a count of 0 its last hold frees it. */
static bool
drop_table(hat_t *hat, uintptr_t va, level_t level)
{
	htable_t *ht = htable_lookup(hat, va, level);
	bool shared = ht != NULL && (ht->ht_flags & HTABLE_SHARED_PFN);

	if (shared) {
		int32_t had = atomic_swap_int(&ht->ht_valid_cnt, 0);

		atomic_add_long(&hat->hat_ism_pgcnt, -((long)had << (LEVEL_SHIFT(level) - PAGESHIFT)));
	}
	htable_release(ht);
	return (shared);
}

/** All whole tables of one level in the range. */
static bool
drop_level(hat_t *hat, uintptr_t start, uintptr_t end, level_t level)
{
	uintptr_t size = LEVEL_SIZE(level + 1);
	uintptr_t va = (start + size - 1) & LEVEL_MASK(level + 1);
	bool any = false;

	for (; va >= start && va < end && end - va >= size; va += size)
		any |= drop_table(hat, va, level);
	return (any);
}

void
hat_unshare(hat_t *hat, uintptr_t va, size_t len, uint_t szc)
{
	bool any = false;

	(void)szc;
	if (!hat_range_ok(hat, va, len))
		return;
	for (level_t l = MIN(mmu.max_page_level, TOP_LEVEL(hat) - 1); l >= 0; l--)
		any |= drop_level(hat, va, va + len, l);
	if (any && !(hat->hat_flags & HAT_FREEING))
		hat_tlb_inval(hat, DEMAP_ALL_ADDR);
	hat_unload(hat, va, len, HAT_UNLOAD_UNMAP);
}
