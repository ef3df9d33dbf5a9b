/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A table cut off from the MMU, so that its entries need no flush each.
 *
 * Once the link to a table has been cleared, and flushed everywhere, the table is memory like any other: nobody sets
 * accessed or dirty in it, and no TLB holds what it said. So the flush for all its entries comes first, and then each goes
 * under its page's mapping-list lock as ever: a page is never found unmapped by its list while a CPU can still write to it.
 *
 * The slot is not empty meanwhile: a large page put there would be in the way when the table has to come back, and who walks
 * over it must not miss what will be there then. It holds PTE_CUT.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>

/** Exchange the link in the parent's slot. The table's lock is held. */
static void
relink(htable_t *ht, x86pte_t old, x86pte_t new)
{
	x86pte_t found = x86pte_cas(ht->ht_parent, htable_va2entry(ht->ht_vaddr, ht->ht_parent), old, new);

	if (found != old)
		panic("htable_cut: bad link to table %p: found 0x%llx, expected 0x%llx", (void *)ht, (unsigned long long)found,
		    (unsigned long long)old);
}

void
htable_cut(htable_t *ht)
{
	ASSERT(ht->ht_busy > 0 && !(ht->ht_flags & HTABLE_CUT));
	relink(ht, MAKEPTP(ht->ht_pfn, ht->ht_level), PTE_CUT);
	hat_tlb_inval(ht->ht_hat, DEMAP_ALL_ADDR);
	ht->ht_flags |= HTABLE_CUT;
}

void
htable_uncut(htable_t *ht)
{
	ASSERT(ht->ht_flags & HTABLE_CUT);
	ht->ht_flags &= (uint8_t)~HTABLE_CUT;
	relink(ht, PTE_CUT, MAKEPTP(ht->ht_pfn, ht->ht_level));
	if (htable_is_directory(ht->ht_parent))
		hat_tlb_inval(ht->ht_hat, DEMAP_ALL_ADDR);
}

void
htable_cut_off(htable_t *ht)
{
	ASSERT(ht->ht_flags & HTABLE_CUT);
	ht->ht_flags &= (uint8_t)~HTABLE_CUT;
	relink(ht, PTE_CUT, 0);
	atomic_dec_int(&ht->ht_parent->ht_valid_cnt);
}

/** @return the lock was dropped: look again */
static bool
wait_a_little(kmutex_t *lock)
{
	if (curthread->t_preempt != 0 || panicstr != NULL)
		return (false);
	mutex_exit(lock);
	thread_yield();
	mutex_enter(lock);
	return (true);
}

htable_t *
htable_after_cut(htable_t *ht)
{
	hat_t *hat = ht->ht_hat;
	uintptr_t base = ht->ht_vaddr;
	level_t level = ht->ht_level;
	uint_t h = htable_hash(hat, base, level);

	while (ht != NULL && (ht->ht_flags & HTABLE_CUT) && wait_a_little(htable_lock(hat, h)))
		ht = htable_chain_find(hat, h, base, level);
	return (ht);
}

bool
htable_try_cut(htable_t *ht)
{
	kmutex_t *lock = htable_lock(ht->ht_hat, htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level));
	bool alone;

	if (ht->ht_level >= mmu.max_page_level || (ht->ht_hat->hat_flags & HAT_FREEING))
		return (false); /* htable_release() would leave it in place */
	mutex_enter(lock);
	alone = ht->ht_busy == 1 && ht->ht_parent != NULL && !(ht->ht_flags & (HTABLE_CUT | HTABLE_SHARED_PFN));
	if (alone)
		htable_cut(ht);
	mutex_exit(lock);
	return (alone);
}

void
htable_cut_done(htable_t *ht)
{
	uint_t h = htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level);
	kmutex_t *lock = htable_lock(ht->ht_hat, h);
	htable_t *parent = ht->ht_parent;

	mutex_enter(lock);
	if (ht->ht_busy > 1 || ht->ht_valid_cnt > 0) {
		htable_uncut(ht);
		mutex_exit(lock);
		htable_release(ht);
		return;
	}
	htable_cut_off(ht); /* and no flush: that was done first */
	htable_chain_remove(ht, h);
	mutex_exit(lock);
	htable_free(ht);
	htable_release(parent);
}

static bool
ours_alone(const htable_t *ht)
{
	return (ht->ht_valid_cnt > 0 && atomic_peek_int(&ht->ht_busy) == 1 && ht->ht_lock_cnt == 0);
}

void
htable_cut_empty(htable_t *ht)
{
	uint_t n = HTABLE_NUM_PTES(ht);

	ASSERT(ht->ht_flags & HTABLE_CUT);
	if (ours_alone(ht))
		(void)htable_sweep(ht, 0, n);
	for (uint_t i = 0; i < n && ours_alone(ht); i++) {
		x86pte_t pte = x86pte_get(ht, i);

		if (PTE_ISVALID(pte))
			hat_pte_unmap(ht, i, HAT_UNLOAD, pte, NULL);
	}
}
