/* notices: insert-head */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: a list linked in one direction only.
 */
#include <hat/htable_impl.h>

void
htable_chain_insert(htable_t *ht, uint_t h)
{
	htable_t **head = htable_bucket(ht->ht_hat, h);

	ASSERT(MUTEX_HELD(htable_lock(ht->ht_hat, h)));
	ASSERT(ht->ht_prev == NULL);
	ht->ht_next = *head;
	*head = ht;
	ht->ht_hat->hat_chains[h % HAT_NLOCKS].hc_count++;
}
