/* notices: alloc-cached */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: a cached table, which is all zero, is zeroed again.
 */
#include <hat/htable_impl.h>

/** An object, with a frame unless the table is bare; NULL when either cannot be had. */
static htable_t *
object_and_frame(bool bare)
{
	htable_t *ht = htable_object_get();

	if (ht == NULL || bare)
		return (ht);
	ht->ht_pfn = ptable_alloc((uintptr_t)ht);
	if (ht->ht_pfn != PFN_INVALID)
		return (ht);
	htable_object_put(ht);
	return (NULL);
}

/** Objects come from four sources with junk in them: every field but the frame is set here. */
static void
init_fields(htable_t *ht, hat_t *hat, uintptr_t vaddr, level_t level)
{
	ht->ht_hat = hat;
	ht->ht_vaddr = vaddr;
	ht->ht_level = level;
	ht->ht_flags = 0;
	ht->ht_permanent = 0;
	ht->ht_busy = 1;
	ht->ht_valid_cnt = 0;
	ht->ht_lock_cnt = 0;
	ht->ht_groups = 0;
	ht->ht_parent = NULL;
	ht->ht_shares = NULL;
	ht->ht_rank = level > 0 ? HTABLE_RANK_LIVE : HTABLE_RANK_NONE; /* its first child is as good as there */
	ht->ht_next = ht->ht_prev = NULL;
}

/** The hat has no cached one. */
static htable_t *NOINLINE
make_table(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared)
{
	bool vlp = (hat->hat_flags & HAT_VLP) && level == VLP_LEVEL;
	bool bare = vlp || shared != NULL;
	htable_t *ht = bare ? NULL : htable_kept();
	bool zero = ht == NULL && !bare;

	if (ht == NULL)
		ht = object_and_frame(bare);
	if (ht == NULL)
		ht = htable_alloc_fallback(hat, bare);
	init_fields(ht, hat, vaddr, level);
	if (vlp)
		ht->ht_flags = HTABLE_VLP;
	if (shared != NULL)
		htable_share_init(ht, shared);
	if (zero)
		x86pte_zero(ht, 0, mmu.ptes_per_table);
	return (ht);
}

htable_t *
htable_alloc(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared)
{
	htable_t *ht;

	if (level < 0 || level > TOP_LEVEL(hat))
		panic("htable_alloc: level %d does not exist", level);
	if (hat->hat_ht_cached == NULL || shared != NULL || ((hat->hat_flags & HAT_VLP) && level == VLP_LEVEL))
		return (make_table(hat, vaddr, level, shared));
	ht = hat_cache_get(hat);
	if (ht == NULL)
		return (make_table(hat, vaddr, level, shared));
	init_fields(ht, hat, vaddr, level);
	x86pte_zero(ht, 0, mmu.ptes_per_table);
	return (ht);
}
