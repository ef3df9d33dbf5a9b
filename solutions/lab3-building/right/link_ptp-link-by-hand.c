/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another right answer: looks before it leaps, and reads the slot itself.
 */
#include <hat/htable_impl.h>

void
link_ptp(htable_t *higher, htable_t *new, uintptr_t vaddr)
{
	uint_t entry = htable_va2entry(vaddr, higher);
	x86pte_t link = MAKEPTP(new->ht_pfn, new->ht_level);
	x86pte_t found;

	ASSERT(MUTEX_HELD(htable_lock(new->ht_hat, htable_hash(new->ht_hat, new->ht_vaddr, new->ht_level))));
	ASSERT(higher->ht_busy > 0);
	ASSERT(new->ht_level != mmu.max_level);
	ASSERT(!hat_is_final_slot(higher, entry)); /* C-31: others have copied it */
	atomic_inc_int(&higher->ht_valid_cnt);
	htable_note(higher, entry);
	do {
		found = x86pte_get(higher, entry);
	} while ((found & ~PT_REF) == 0 && x86pte_cas(higher, entry, found, link) != found);
	if ((found & ~PT_REF) != 0)
		panic("link_ptp: slot %u of table %p was not empty: 0x%llx", entry, (void *)higher, (unsigned long long)found);
	if (htable_is_directory(higher))
		hat_tlb_inval(higher->ht_hat, DEMAP_ALL_ADDR);
}
