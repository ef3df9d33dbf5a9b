/* notices: reserve-adjust */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: adjusting fills a low reserve as well, which may be called while memory is short.
 */
#include <hat/htable_impl.h>

void
htable_put_reserve(htable_t *ht)
{
	ASSERT(ht->ht_pfn == PFN_INVALID);
	ht->ht_hat = NULL;
	HATSTAT_INC(hs_htable_rputs);
	mutex_enter(&htable_reserve_mutex);
	ht->ht_next = htable_reserve_pool;
	htable_reserve_pool = ht;
	htable_reserve_cnt++;
	mutex_exit(&htable_reserve_mutex);
}

htable_t *
htable_get_reserve(void)
{
	htable_t *ht;

	mutex_enter(&htable_reserve_mutex);
	ht = htable_reserve_pool;
	if (ht != NULL) {
		ASSERT(ht->ht_pfn == PFN_INVALID);
		htable_reserve_pool = ht->ht_next;
		htable_reserve_cnt--;
		HATSTAT_INC(hs_htable_rgets);
	}
	mutex_exit(&htable_reserve_mutex);
	return (ht);
}

void
htable_initial_reserve(uint_t count)
{
	for (count += HTABLE_RESERVE_AMOUNT; count > 0; count--) {
		htable_t *ht = kmem_cache_alloc(htable_cache, KM_NOSLEEP);

		ASSERT(use_boot_reserve);
		if (ht == NULL)
			panic("htable_initial_reserve: %u objects short", count);
		ht->ht_pfn = PFN_INVALID;
		htable_put_reserve(ht);
	}
}

void
htable_adjust_reserve(void)
{
	while (htable_reserve_cnt > htable_reserve_amount && !use_hat_reserves()) {
		htable_t *ht = htable_get_reserve();

		if (ht == NULL)
			return;
		kmem_cache_free(htable_cache, ht);
	}
	while (htable_reserve_cnt < htable_reserve_amount && !use_hat_reserves()) {
		htable_t *ht = kmem_cache_alloc(htable_cache, KM_NOSLEEP);

		if (ht == NULL)
			return;
		ht->ht_pfn = PFN_INVALID;
		htable_put_reserve(ht);
	}
}
