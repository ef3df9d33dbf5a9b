/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another right answer: first the reserve, then the caller.
 */
#include <hat/htable_impl.h>

/*
 * A thread that may use the object cache fills a low reserve first (it donates) and keeps the last object for itself. What
 * it may use is asked afresh each time: the allocator may have re-entered the HAT.
 */
htable_t *
htable_object_get(void)
{
	int kmflag = can_steal_post_boot ? KM_NOSLEEP : KM_SLEEP;
	htable_t *ht;

	while (!use_hat_reserves() && htable_reserve_cnt < htable_reserve_amount) {
		ht = kmem_cache_alloc(htable_cache, kmflag);
		if (ht == NULL)
			return (NULL);
		ht->ht_pfn = PFN_INVALID;
		htable_put_reserve(ht);
	}
	if (use_hat_reserves())
		return (htable_get_reserve());
	ht = kmem_cache_alloc(htable_cache, kmflag);
	if (ht != NULL)
		ht->ht_pfn = PFN_INVALID;
	return (ht);
}

void
htable_object_put(htable_t *ht)
{
	if (use_hat_reserves() || htable_reserve_cnt < htable_reserve_amount) {
		htable_put_reserve(ht);
		return;
	}
	kmem_cache_free(htable_cache, ht);
	htable_adjust_reserve();
}
