/* notices: insert-count */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the table is not counted, so chains never grow.
 */
#include <hat/htable_impl.h>

void
htable_chain_insert(htable_t *ht, uint_t h)
{
	htable_t **head = htable_bucket(ht->ht_hat, h);

	ASSERT(MUTEX_HELD(htable_lock(ht->ht_hat, h)));
	ASSERT(ht->ht_prev == NULL);
	ht->ht_next = *head;
	if (ht->ht_next != NULL)
		ht->ht_next->ht_prev = ht;
	*head = ht;
}
