/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Give back a hold; free what nobody needs, upward.
 */
#include <hat/htable_impl.h>

/** Empty and held by us alone, but better left in place (spec 4.5)? Shared tables always go. */
static bool
worth_keeping(const htable_t *ht)
{
	if (ht->ht_flags & HTABLE_SHARED_PFN)
		return (false);
	if (ht->ht_hat->hat_flags & HAT_FREEING)
		return (true);	/* everything goes in one sweep, htable_purge_hat() */
	return (ht->ht_level >= mmu.max_page_level && !(ht->ht_hat == kas_hat && ht->ht_vaddr < kernelbase));
}

/**
 * Drop one hold. If the table went with it: its parent, whose hold is ours now; else NULL. *sharedp becomes the source of
 * a shared table that went.
 */
static htable_t *
release_one(htable_t *ht, htable_t **sharedp)
{
	hat_t *hat = ht->ht_hat;
	uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level);
	htable_t *parent;

	mutex_enter(htable_lock(hat, h));
	ASSERT(ht->ht_valid_cnt >= 0);
	ASSERT(ht->ht_busy > 0);
	if (ht->ht_valid_cnt > 0 || ht->ht_busy > 1 || worth_keeping(ht)) {
		ht->ht_busy--;
		htable_rank(ht);
		mutex_exit(htable_lock(hat, h));
		return (NULL);
	}
	ASSERT(ht->ht_lock_cnt == 0);
	if (ht->ht_flags & HTABLE_SHARED_PFN) {
		ASSERT(*sharedp == NULL);
		*sharedp = ht->ht_shares;
		HATSTAT_INC(hs_htable_unshared);
	}
	parent = ht->ht_parent;
	ASSERT(parent != NULL);
	unlink_ptp(parent, ht, ht->ht_vaddr);
	htable_chain_remove(ht, h);
	mutex_exit(htable_lock(hat, h));
	htable_free(ht);
	return (parent);
}

/** The usual case: others need the table too, or it has entries. */
static bool
still_used(htable_t *ht)
{
	kmutex_t *lock = htable_lock(ht->ht_hat, htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level));
	bool used;

	mutex_enter(lock);
	ASSERT(ht->ht_valid_cnt >= 0);
	ASSERT(ht->ht_busy > 0);
	used = ht->ht_valid_cnt > 0 || ht->ht_busy > 1;
	if (used) {
		ht->ht_busy--;
		htable_rank(ht);
	}
	mutex_exit(lock);
	return (used);
}

/** Somebody may have come meanwhile: release_one() looks again. */
static void COLD
release_unused(htable_t *ht)
{
	while (ht != NULL) {
		htable_t *shared = NULL;

		do
			ht = release_one(ht, &shared);
		while (ht != NULL);
		ht = shared;
	}
}

void
htable_release(htable_t *ht)
{
	if (ht != NULL && !still_used(ht))
		release_unused(ht);
}
