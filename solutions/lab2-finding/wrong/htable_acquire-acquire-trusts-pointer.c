/* notices: acquire-gone */
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
	ht->ht_busy++;
	mutex_exit(htable_lock(hat, h));
}
