/* notices: lookup-absent */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Find a table and hold it.
 */
#include <hat/htable_impl.h>

htable_t *
htable_lookup(hat_t *hat, uintptr_t va, level_t level)
{
	uintptr_t base = htable_base(hat, va, level);
	uint_t h = htable_hash(hat, base, level);
	htable_t *ht;

	ASSERT(level >= 0 && level <= TOP_LEVEL(hat));
	if (level == VLP_LEVEL && (hat->hat_flags & HAT_VLP) && va > hat_vlp_last())
		return (NULL);
	mutex_enter(htable_lock(hat, h));
	ht = htable_chain_find(hat, h, base, level);
	if (ht != NULL && (ht->ht_flags & HTABLE_CUT))
		ht = md_ask_cold(htable_after_cut, ht); /* a stealer is emptying it */
	if (ht == NULL)
		return (NULL);
	ht->ht_busy++;
	mutex_exit(htable_lock(hat, h));
	return (ht);
}
