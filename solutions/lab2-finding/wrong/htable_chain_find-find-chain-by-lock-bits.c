/* notices: find-chosen */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Search one chain.
 */
#include <hat/htable_impl.h>

htable_t *
htable_chain_find(hat_t *hat, uint_t h, uintptr_t base, level_t level)
{
	htable_t *ht;

	ASSERT(MUTEX_HELD(htable_lock(hat, h)));
	for (ht = hat->hat_chains[h % HAT_NLOCKS].hc_head[h & hat->hat_chains[h % HAT_NLOCKS].hc_mask]; ht != NULL;
	     ht = ht->ht_next)
		if (ht->ht_vaddr == base && ht->ht_level == level)
			break;
	return (ht);
}
