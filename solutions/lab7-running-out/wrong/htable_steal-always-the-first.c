/* notices: theft-spread */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: each theft begins at the head of the list: one process loses everything.
 */
#include <hat/htable_impl.h>

/** What one call looks for. */
struct hunt {
	uint_t hu_left;       /**< tables still wanted */
	uint_t hu_quota;      /**< at most so many from one hat a visit */
	bool hu_cached;       /**< the cached stacks are looked at, and nothing else */
	int32_t hu_threshold; /**< valid entries that a table may have */
	bool hu_hints;        /**< believe the ranks */
	htable_t *hu_loot;
};

static bool
any_ranked(const volatile uint32_t *ranks, const struct hunt *hu)
{
	uint_t first = hu->hu_cached ? HTABLE_RANK_CACHED : HTABLE_RANK_EMPTY;
	uint_t last = hu->hu_cached ? HTABLE_RANK_CACHED : htable_rank_live((uint_t)hu->hu_threshold);

	for (uint_t r = first; r <= last; r++)
		if ((int32_t)ranks[r] > 0)
			return (true);
	return (!hu->hu_hints);
}

/**
 * Done with one hat (kas_hat: none), on to the next. Between two calls the marked hat cannot be freed. One that was robbed
 * goes to the end of the list, so this walk comes to it again only after all others, and the next one too.
 */
static hat_t *
next_victim(hat_t *hat, bool robbed, const struct hunt *hu)
{
	hat_t *next;

	mutex_enter(&hat_list_lock);
	next = hat->hat_next;
	if (hat != kas_hat) {
		if (next == NULL && robbed && hu->hu_left > 0)
			next = hat; /* the only one left, and perhaps it has more */
		atomic_and_32(&hat->hat_flags, ~(uint32_t)HAT_VICTIM);
		cv_broadcast(&hat_list_cv);
	}
	while (next != NULL && ((next->hat_flags & (HAT_VICTIM | HAT_SHARED | HAT_FREEING)) || !any_ranked(next->hat_ranks, hu)))
		next = next->hat_next;
	if (hu->hu_left == 0)
		next = NULL;
	if (next != NULL)
		atomic_or_32(&next->hat_flags, HAT_VICTIM);
	mutex_exit(&hat_list_lock);
	return (next);
}

/** It is ours: nobody can find it. The owner is forgotten while its mark still keeps it alive (C-1). */
static void
bag(struct hunt *hu, htable_t *ht)
{
	ht->ht_hat = NULL;
	ht->ht_next = hu->hu_loot;
	hu->hu_loot = ht;
	hu->hu_left--;
}

static bool
may_take(const htable_t *ht, int32_t threshold)
{
	if (ht->ht_busy != 0 || (ht->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)) || ht->ht_lock_cnt != 0 || ht->ht_parent == NULL)
		return (false);
	return (ht->ht_valid_cnt <= (ht->ht_level == 0 ? threshold : 0));
}

/**
 * Empty a live table. Its lock is held, and dropped meanwhile: unmapping takes mapping-list locks.
 * @return  it is empty, cut off for good, and nobody else wants it; else it is back in place
 */
static bool
empty_it(htable_t *ht, kmutex_t *lock)
{
	ht->ht_busy++;
	htable_cut(ht);
	mutex_exit(lock);
	htable_cut_empty(ht);
	mutex_enter(lock);
	if (ht->ht_busy == 1 && ht->ht_valid_cnt == 0 && ht->ht_lock_cnt == 0) {
		htable_cut_off(ht);
		return (true);
	}
	htable_uncut(ht);
	ht->ht_busy--; /* another hold or a live entry keeps it */
	return (false);
}

/** Take a table out of the tree; its lock is held, perhaps not all the time. @return it is ours */
static bool
take(hat_t *hat, htable_t *ht)
{
	uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level); /* its chain may become another one while the lock is dropped */

	if (ht->ht_valid_cnt == 0)
		unlink_ptp(ht->ht_parent, ht, ht->ht_vaddr);
	else if (!empty_it(ht, htable_lock(hat, h)))
		return (false);
	htable_chain_remove(ht, h);
	return (true);
}

/** The tables of one chain; its lock is held, but not all the time. */
static void
rob_chain(struct hunt *hu, hat_t *hat, uint_t h, uint_t *quota, htable_t **lootp)
{
	htable_t *next;

	for (htable_t *ht = *htable_bucket(hat, h); ht != NULL && *quota > 0; ht = next) {
		bool taken = may_take(ht, hu->hu_threshold);

		next = ht->ht_next;
		if (!taken)
			continue;
		taken = take(hat, ht);
		if (!taken) {
			next = ht->ht_next; /* as it is now: our hold kept it in a chain until this moment */
			continue;
		}
		next = *htable_bucket(hat, h); /* the lock may have been dropped: start again */
		ht->ht_next = *lootp;
		*lootp = ht;
		(*quota)--;
	}
}

/** What is behind one lock. The parents are released when it is not held: that may climb, and free. */
static void
rob_lock(struct hunt *hu, hat_t *hat, uint_t k, uint_t *quota)
{
	struct hat_chains *hc = &hat->hat_chains[k];
	htable_t *loot = NULL, *ht;

	mutex_enter(&hc->hc_lock);
	for (uint_t i = 0; i <= hc->hc_mask && *quota > 0; i++)
		rob_chain(hu, hat, i * HAT_NLOCKS + k, quota, &loot);
	mutex_exit(&hc->hc_lock);
	while ((ht = loot) != NULL) {
		loot = ht->ht_next;
		htable_release(ht->ht_parent);
		bag(hu, ht);
	}
}

static void
rob_cached(struct hunt *hu, hat_t *hat, uint_t quota)
{
	htable_t *ht;

	while (quota-- > 0 && (ht = hat_cache_get(hat)) != NULL)
		bag(hu, ht);
}

/** One visit to a marked hat. The hand belongs to whoever has set the mark. */
static bool
rob(struct hunt *hu, hat_t *hat)
{
	uint_t left = hu->hu_left, quota = MIN(hu->hu_quota, left), start = hat->hat_steal_hand;

	if (hu->hu_cached) {
		rob_cached(hu, hat, quota);
		return (hu->hu_left < left);
	}
	for (uint_t i = 0; i < HAT_NLOCKS && quota > 0; i++) {
		hat->hat_steal_hand = (start + i) % HAT_NLOCKS;
		if (hat->hat_chains[hat->hat_steal_hand].hc_count > 0)
			rob_lock(hu, hat, hat->hat_steal_hand, &quota);
	}
	return (hu->hu_left < left);
}

static void
visit_hats(struct hunt *hu)
{
	bool robbed = false;

	if (hu->hu_left == 0 || !any_ranked(htable_ranks, hu))
		return;
	for (hat_t *hat = next_victim(kas_hat, false, hu); hat != NULL; hat = next_victim(hat, robbed, hu))
		robbed = rob(hu, hat);
}

/** At most so many from one hat. */
static uint_t
share_of(uint_t cnt)
{
	return (cnt);
}

htable_t *
htable_steal(uint_t cnt)
{
	struct hunt hu = { .hu_left = cnt, .hu_quota = share_of(cnt), .hu_cached = true, .hu_hints = true };
	uint64_t passes = MIN(MAX(htable_steal_passes, 1ull), (uint64_t)mmu.ptes_per_table);

	htable_steal_passes = passes;
	atomic_inc_32(&htable_dont_cache);
	visit_hats(&hu);
	hu.hu_cached = false;
	for (uint_t p = 0; p <= passes; p++) {
		hu.hu_threshold = (int32_t)(p * mmu.ptes_per_table / (uint_t)passes);
		visit_hats(&hu);
	}
	hu.hu_hints = false;
	visit_hats(&hu);
	atomic_dec_32(&htable_dont_cache);
	return (hu.hu_loot);
}
