/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Find a table and hold it.
 */
#include <hat/htable_impl.h>

/** A stealer is emptying it: look again when he has finished. Its lock is held, and dropped meanwhile. */
static htable_t * COLD
after_cut(hat_t *hat, uint_t h, htable_t *ht)
{
	uintptr_t base = ht->ht_vaddr;
	level_t level = ht->ht_level;

	while (ht != NULL && (ht->ht_flags & HTABLE_CUT) && htable_cut_wait(hat, h))
		ht = htable_chain_find(hat, h, base, level);
	return (ht);
}

htable_t *
htable_lookup(hat_t *hat, uintptr_t va, level_t level)
{
	uintptr_t base = htable_base(hat, va, level);
	uint_t h = htable_hash(hat, base, level);
	htable_t *ht;

	ASSERT(level >= 0 && level <= TOP_LEVEL(hat));
	if (level == TOP_LEVEL(hat) && (hat->hat_flags & HAT_VLP) && va > hat_vlp_last())
		return (NULL);
	mutex_enter(htable_lock(hat, h));
	ht = htable_chain_find(hat, h, base, level);
	if (ht != NULL && (ht->ht_flags & HTABLE_CUT))
		ht = after_cut(hat, h, ht);
	if (ht != NULL)
		ht->ht_busy++;
	mutex_exit(htable_lock(hat, h));
	return (ht);
}
