/* notices: release-null */
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
		return (true); /* everything goes in one sweep, htable_purge_hat() */
	return (ht->ht_level >= mmu.max_page_level && !(ht->ht_hat == kas_hat && ht->ht_vaddr < kernelbase));
}

/** Drop one hold and unlock, unless the table is not needed then: false, and nothing has happened. */
static inline bool
drop_hold(htable_t *ht, kmutex_t *lock)
{
	ASSERT(ht->ht_valid_cnt >= 0);
	ASSERT(ht->ht_busy > 0);
	if (ht->ht_valid_cnt <= 0 && ht->ht_busy <= 1 && !worth_keeping(ht))
		return (false);
	ht->ht_busy--;
	htable_rank(ht);
	mutex_exit(lock);
	return (true);
}

/** Out of the tree, and free. Its lock is held on entry. @return the parent, whose hold is ours now */
static htable_t *
let_go(htable_t *ht, uint_t h)
{
	hat_t *hat = ht->ht_hat;
	htable_t *parent = ht->ht_parent;

	ASSERT(ht->ht_lock_cnt == 0);
	ASSERT(parent != NULL);
	unlink_ptp(parent, ht, ht->ht_vaddr);
	htable_chain_remove(ht, h);
	mutex_exit(htable_lock(hat, h));
	htable_free(ht);
	return (parent);
}

/** A shared table goes: whose frame it shows, a table that it holds. */
static htable_t *
source_of(const htable_t *ht)
{
	if (!(ht->ht_flags & HTABLE_SHARED_PFN))
		return (NULL);
	HATSTAT_INC(hs_htable_unshared);
	return (ht->ht_shares);
}

/** From a table that nobody needs, its lock held, upward. Not in line: a release that ends with a hold less has its own short way. */
static NOINLINE void
let_go_upward(htable_t *ht, uint_t h)
{
	htable_t *source = source_of(ht); /* only the first one can be shared: nothing is below such a table */

	do {
		ht = let_go(ht, h);
		h = htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level);
		mutex_enter(htable_lock(ht->ht_hat, h));
	} while (!drop_hold(ht, htable_lock(ht->ht_hat, h)));
	htable_release(source); /* it has a frame of its own: this goes no deeper */
}

void
htable_release(htable_t *ht)
{
	kmutex_t *lock;
	uint_t h;

	h = htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level);
	lock = htable_lock(ht->ht_hat, h);
	mutex_enter(lock);
	if (!drop_hold(ht, lock))
		let_go_upward(ht, h);
}
