/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Free a hat's cached tables, or all of them.
 */
#include <hat/htable_impl.h>

static void
free_cached(hat_t *hat)
{
	htable_t *ht;

	while ((ht = hat_cache_get(hat)) != NULL)
		htable_free(ht);
}

/**
 * The hat runs nowhere and nobody can find it: no links are cleared, no counts looked at, nothing flushed. hat_unshare() came
 * first; a shared table that is left all the same gives its source the hold back, or that would never go (C-23).
 */
static void
free_linked(hat_t *hat)
{
	for (uint_t b = 0; b < hat->hat_num_hash; b++) {
		htable_t *ht;

		while ((ht = hat->hat_ht_hash[b]) != NULL) {
			htable_t *source = ht->ht_shares;

			if (source != NULL)
				HAT_MISUSE("htable_purge_hat: a shared table is left");
			hat->hat_ht_hash[b] = ht->ht_next;
			if (ht->ht_next != NULL)
				ht->ht_next->ht_prev = NULL;
			htable_free(ht);
			htable_release(source);
		}
	}
}

void
htable_purge_hat(hat_t *hat)
{
	atomic_inc_32(&htable_dont_cache);	/* or each would come straight back */
	free_cached(hat);
	atomic_dec_32(&htable_dont_cache);
	if (hat->hat_flags & HAT_FREEING)
		free_linked(hat);
}
