/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make the parent point at a new table.
 */
#include <hat/htable_impl.h>

void
link_ptp(htable_t *higher, htable_t *new, uintptr_t vaddr)
{
	uint_t entry = htable_va2entry(vaddr, higher);
	x86pte_t link = MAKEPTP(new->ht_pfn, new->ht_level);
	x86pte_t found;

	ASSERT(MUTEX_HELD(htable_lock(new->ht_hat, htable_hash(new->ht_hat, new->ht_vaddr, new->ht_level))));
	ASSERT(atomic_peek_int(&higher->ht_busy) > 0);
	ASSERT(new->ht_level != mmu.max_level);
	ASSERT(!hat_is_final_slot(higher, entry)); /* C-31: others have copied it */
	atomic_inc_int(&higher->ht_valid_cnt);
	if (higher->ht_rank == HTABLE_RANK_EMPTY)
		htable_rank_follow(higher);
	htable_note(higher, entry);
	found = x86pte_cas(higher, entry, 0, link);
	if (found == PT_REF) /* empty, but somebody's walk has left its mark: it must go too */
		found = x86pte_cas(higher, entry, PT_REF, link) ^ PT_REF;
	if (found != 0)
		panic("link_ptp: slot %u of table %p was not empty: 0x%llx", entry, (void *)higher, (unsigned long long)found);
	if (htable_is_directory(higher))
		hat_tlb_inval(higher->ht_hat, DEMAP_ALL_ADDR);
}
