/* notices: acquire-lock, acquire-gone */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One more hold on a table that cannot go away.
 */
#include <hat/htable_impl.h>

void
htable_acquire(htable_t *ht)
{
	atomic_inc_int(&ht->ht_busy);
}
