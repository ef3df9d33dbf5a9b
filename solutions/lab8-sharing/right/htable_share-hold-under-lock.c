/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A table that shows another one's frame.
 */
#include <hat/htable_impl.h>

void
htable_share_init(htable_t *ht, htable_t *source)
{
	ASSERT(source->ht_valid_cnt > 0);
	ht->ht_flags = HTABLE_SHARED_PFN;
	ht->ht_pfn = source->ht_pfn;
	ht->ht_shares = source;
}

void
htable_share_hold(htable_t *source)
{
	kmutex_t *lock = htable_lock(source->ht_hat, htable_hash(source->ht_hat, source->ht_vaddr, source->ht_level));

	mutex_enter(lock);
	source->ht_busy++;
	mutex_exit(lock);
	HATSTAT_INC(hs_htable_shared);
}
