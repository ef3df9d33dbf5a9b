/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: every table is freed, none is handed on to another address space.
 */
#include <hat/htable_impl.h>

void
htable_purge_hat(hat_t *hat)
{
	htable_t *ht;

	atomic_inc_32(&htable_dont_cache);
	while ((ht = hat_cache_get(hat)) != NULL)
		htable_free(ht);
	atomic_dec_32(&htable_dont_cache);
	if (!(hat->hat_flags & HAT_FREEING))
		return;
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		struct hat_chains *hc = &hat->hat_chains[k];

		for (uint_t i = 0; i <= hc->hc_mask; i++)
			while ((ht = hc->hc_head[i]) != NULL) {
				hc->hc_head[i] = ht->ht_next;
				hc->hc_count--;
				htable_free(ht);
			}
	}
}
