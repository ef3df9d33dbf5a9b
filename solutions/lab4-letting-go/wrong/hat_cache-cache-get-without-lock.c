/* notices: cache-mutex */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Tables kept for quick reuse by the same hat.
 */
#include <hat/htable_impl.h>

htable_t *
hat_cache_get(hat_t *hat)
{
	htable_t *ht;

	ht = hat->hat_ht_cached;
	if (ht != NULL) {
		ASSERT(ht->ht_pfn != PFN_INVALID);
		hat->hat_ht_cached = ht->ht_next;
	} else {
		htable_note_cached(hat, false);
	}
	return (ht);
}

void
hat_cache_put(hat_t *hat, htable_t *ht)
{
	ASSERT(ht->ht_pfn != PFN_INVALID);
	ASSERT(ht->ht_flags == 0);
	ASSERT(ht->ht_valid_cnt == 0);
	mutex_enter(&hat->hat_mutex);
	ht->ht_next = hat->hat_ht_cached;
	hat->hat_ht_cached = ht;
	htable_note_cached(hat, true);
	mutex_exit(&hat->hat_mutex);
}
