/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: one loop, in which a share source comes after the top.
 */
#include <hat/htable_impl.h>

static bool
must_go(const htable_t *ht)
{
	if (ht->ht_valid_cnt != 0 || ht->ht_busy != 1)
		return (false);
	if (ht->ht_flags & HTABLE_SHARED_PFN)
		return (true);
	if (ht->ht_hat->hat_flags & HAT_FREEING)
		return (false);
	return (ht->ht_level < mmu.max_page_level || (ht->ht_hat == kas_hat && ht->ht_vaddr < kernelbase));
}

void
htable_release(htable_t *ht)
{
	htable_t *source = NULL;

	while (ht != NULL) {
		uint_t h = htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level);
		kmutex_t *lock = htable_lock(ht->ht_hat, h);
		htable_t *next;

		mutex_enter(lock);
		if (!must_go(ht)) {
			ht->ht_busy--;
			htable_rank(ht);
			mutex_exit(lock);
			ht = source;
			source = NULL;
			continue;
		}
		if (ht->ht_flags & HTABLE_SHARED_PFN) {
			source = ht->ht_shares;
			HATSTAT_INC(hs_htable_unshared);
		}
		next = ht->ht_parent;
		unlink_ptp(next, ht, ht->ht_vaddr);
		htable_chain_remove(ht, h);
		mutex_exit(lock);
		htable_free(ht);
		ht = next;
	}
}
