/* notices: chain-remove-rank */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Take a table out of its chain.
 */
#include <hat/htable_impl.h>

void
htable_chain_remove(htable_t *ht, uint_t h)
{
	ASSERT(MUTEX_HELD(htable_lock(ht->ht_hat, h)));
	if (ht->ht_next != NULL)
		ht->ht_next->ht_prev = ht->ht_prev;
	if (ht->ht_prev != NULL) {
		ht->ht_prev->ht_next = ht->ht_next;
	} else {
		ASSERT(*htable_bucket(ht->ht_hat, h) == ht);
		*htable_bucket(ht->ht_hat, h) = ht->ht_next;
	}
	ht->ht_next = ht->ht_prev = NULL;
	ht->ht_hat->hat_chains[h % HAT_NLOCKS].hc_count--;
}
