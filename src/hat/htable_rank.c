/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief How many tables of which rank there are, so that a stealer knows where not to look.
 */
#include <hat/htable_impl.h>

void
htable_rank_set(htable_t *ht, uint_t rank)
{
	uint_t was = __atomic_exchange_n(&ht->ht_rank, (uint8_t)rank, __ATOMIC_SEQ_CST);
	hat_t *hat = ht->ht_hat;

	if (was == rank)
		return;
	if (was > HTABLE_RANK_NONE && was < HTABLE_NRANKS) {
		atomic_dec_32(&hat->hat_ranks[was]);
		atomic_dec_32(&htable_ranks[was]);
	}
	if (rank != HTABLE_RANK_NONE) {
		atomic_inc_32(&hat->hat_ranks[rank]);
		atomic_inc_32(&htable_ranks[rank]);
	}
}

void
htable_rank_follow(htable_t *ht)
{
	uint_t rank = HTABLE_RANK_NONE;

	if (ht->ht_hat == kas_hat || (ht->ht_flags & HTABLE_SHARED_PFN) || ht->ht_parent == NULL)
		return;
	if (ht->ht_level == 0 || ht->ht_valid_cnt == 0)
		rank = htable_rank_live((uint_t)ht->ht_valid_cnt);
	if (rank != ht->ht_rank)
		htable_rank_set(ht, rank);
}

void
htable_rank_forget(hat_t *hat)
{
	for (uint_t r = 0; r < HTABLE_NRANKS; r++) {
		uint32_t n = hat->hat_ranks[r];

		if (n != 0)
			(void)__atomic_sub_fetch(&htable_ranks[r], n, __ATOMIC_SEQ_CST);
	}
}
