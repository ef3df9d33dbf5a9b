/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: who points at it is found by going there.
 */
#include <hat/htable_impl.h>

void
htable_chain_remove(htable_t *ht, uint_t h)
{
	htable_t **at = htable_bucket(ht->ht_hat, h), *prev = NULL;

	for (; *at != ht; at = &(*at)->ht_next)
		prev = *at;
	*at = ht->ht_next;
	if (ht->ht_next != NULL)
		ht->ht_next->ht_prev = prev;
	ht->ht_hat->hat_chains[h % HAT_NLOCKS].hc_count--;
	ht->ht_next = NULL;
	ht->ht_prev = NULL;
	htable_unrank(ht);
}
