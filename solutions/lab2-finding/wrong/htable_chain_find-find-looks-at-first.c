/* notices: find-chain */
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
	ht = *htable_bucket(hat, h);
	return (ht != NULL && ht->ht_vaddr == base && ht->ht_level == level ? ht : NULL);
}
