/* notices: insert-grown */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the chains that an address space starts with, for ever.
 */
#include <hat/htable_impl.h>

void
htable_chain_insert(htable_t *ht, uint_t h)
{
	htable_t **head = &ht->ht_hat->hat_first_chains[h % HAT_NLOCKS][h / HAT_NLOCKS % HAT_MINCHAINS];

	ASSERT(MUTEX_HELD(htable_lock(ht->ht_hat, h)));
	ASSERT(ht->ht_prev == NULL);
	ht->ht_next = *head;
	if (ht->ht_next != NULL)
		ht->ht_next->ht_prev = ht;
	*head = ht;
	ht->ht_hat->hat_chains[h % HAT_NLOCKS].hc_count++;
}
