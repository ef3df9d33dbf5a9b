/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another right answer: one source after the other, and every table goes through the same end.
 */
#include <hat/htable_impl.h>
#include <sys/string.h>

/** A table that is all zero already, or NULL. */
static htable_t *
zeroed_one(hat_t *hat)
{
	htable_t *ht = hat_cache_get(hat);

	return (ht != NULL ? ht : htable_kept());
}

static htable_t *
new_one(hat_t *hat, bool bare)
{
	htable_t *ht = htable_object_get();

	if (ht != NULL && !bare) {
		ht->ht_pfn = ptable_alloc((uintptr_t)ht);
		if (ht->ht_pfn == PFN_INVALID) {
			htable_object_put(ht);
			ht = NULL;
		}
	}
	return (ht != NULL ? ht : htable_alloc_fallback(hat, bare));
}

htable_t *
htable_alloc(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared)
{
	bool vlp = (hat->hat_flags & HAT_VLP) && level == TOP_LEVEL(hat);
	bool bare = vlp || shared != NULL, zero = false;
	htable_t *ht = NULL;
	pfn_t pfn;

	if (level < 0 || level > TOP_LEVEL(hat))
		panic("htable_alloc: level %d of 0x%lx", level, vaddr);
	if (!bare)
		ht = zeroed_one(hat);
	if (ht == NULL) {
		ht = new_one(hat, bare);
		zero = !bare;
	}
	pfn = ht->ht_pfn;
	memset(ht, 0, sizeof(*ht));
	ht->ht_pfn = pfn;
	ht->ht_hat = hat;
	ht->ht_vaddr = vaddr;
	ht->ht_level = level;
	ht->ht_busy = 1;
	ht->ht_flags = vlp ? HTABLE_VLP : 0;
	if (shared != NULL)
		htable_share_init(ht, shared);
	if (zero)
		x86pte_zero(ht, 0, mmu.ptes_per_table);
	return (ht);
}
