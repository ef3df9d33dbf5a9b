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

	(void)level;
	ASSERT(MUTEX_HELD(htable_lock(hat, h)));
	for (ht = *htable_bucket(hat, h); ht != NULL; ht = ht->ht_next)
		if (ht->ht_vaddr == base)
			break;
	return (ht);
}
