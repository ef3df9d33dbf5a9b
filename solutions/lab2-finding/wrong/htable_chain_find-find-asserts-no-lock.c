/* notices: find-locked */
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

	for (ht = *htable_bucket(hat, h); ht != NULL; ht = ht->ht_next)
		if (ht->ht_vaddr == base && ht->ht_level == level)
			break;
	return (ht);
}
