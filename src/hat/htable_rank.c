/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief How many tables of which rank there are, so that a stealer knows where not to look.
 */
#include <hat/htable_impl.h>

/** Is this rank one that a stealer would come for? What says so stays the same as long as a table is linked. */
static inline bool
counted(const htable_t *ht, uint_t rank)
{
	if (ht->ht_hat == kas_hat || (ht->ht_flags & HTABLE_SHARED_PFN) || ht->ht_parent == NULL)
		return (false);
	/* whoever makes a table need not know of ranks: there may be anything at first */
	return (rank == HTABLE_RANK_EMPTY || (rank >= HTABLE_RANK_LIVE && rank < HTABLE_NRANKS && ht->ht_level == 0));
}

static void
set_rank(htable_t *ht, uint_t rank)
{
	uint_t was = atomic_swap_8(&ht->ht_rank, (uint8_t)rank);
	hat_t *hat = ht->ht_hat;

	if (was == rank)
		return;
	if (was != HTABLE_RANK_NONE && counted(ht, was)) {
		atomic_dec_32(&hat->hat_ranks[was]);
		atomic_dec_32(&htable_ranks[was]);
	}
	if (counted(ht, rank)) {
		atomic_inc_32(&hat->hat_ranks[rank]);
		atomic_inc_32(&htable_ranks[rank]);
	}
}

void
htable_rank_follow(htable_t *ht)
{
	set_rank(ht, htable_rank_live((uint_t)ht->ht_valid_cnt));
}

void
htable_rank_none(htable_t *ht)
{
	set_rank(ht, HTABLE_RANK_NONE);
}

void
htable_note_cached(hat_t *hat, bool any)
{
	volatile uint32_t *noted = &hat->hat_ranks[HTABLE_RANK_CACHED];

	if (hat == kas_hat || *noted == any)
		return;
	*noted = any;
	if (any)
		atomic_inc_32(&htable_ranks[HTABLE_RANK_CACHED]);
	else
		atomic_dec_32(&htable_ranks[HTABLE_RANK_CACHED]);
}

void
htable_rank_forget(hat_t *hat)
{
#pragma GCC unroll 20
	for (uint_t r = 0; r < HTABLE_NRANKS; r++) {
		uint32_t n = hat->hat_ranks[r];

		if (n != 0)
			(void)atomic_add_32(&htable_ranks[r], -n);
	}
}
