/* notices: acquire-hold */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One more hold on a table that cannot go away.
 */
#include <hat/htable_impl.h>

void
htable_acquire(htable_t *ht)
{
	hat_t *hat = ht->ht_hat;
	uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level);

	mutex_enter(htable_lock(hat, h));
	ASSERT(htable_chain_find(hat, h, ht->ht_vaddr, ht->ht_level) == ht);
	ht->ht_busy++;
}
