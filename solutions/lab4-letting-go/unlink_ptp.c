/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Cut an empty table off its parent.
 */
#include <hat/htable_impl.h>

/*
 * The flush is needed although the table is empty: CPUs remember upper-level entries too, and would walk into the frame
 * after it has become something else [SDM3 4.10.3].
 */
void
unlink_ptp(htable_t *higher, htable_t *old, uintptr_t vaddr)
{
	uint_t entry = htable_va2entry(vaddr, higher);
	x86pte_t expect = MAKEPTP(old->ht_pfn, old->ht_level);
	x86pte_t found;

	ASSERT(MUTEX_HELD(htable_lock(old->ht_hat, htable_hash(old->ht_hat, old->ht_vaddr, old->ht_level))));
	ASSERT(atomic_peek_int(&higher->ht_busy) > 0);
	ASSERT(higher->ht_valid_cnt > 0);
	ASSERT(old->ht_valid_cnt == 0);
	ASSERT(!hat_is_final_slot(higher, entry)); /* C-31: others have copied it */
	found = x86pte_cas(higher, entry, expect, 0);
	if (found != expect)
		panic("unlink_ptp: bad link in slot %u of table %p: found 0x%llx, expected 0x%llx", entry, (void *)higher,
		    (unsigned long long)found, (unsigned long long)expect);
	if (!(old->ht_hat->hat_flags & HAT_FREEING))
		hat_tlb_inval(old->ht_hat, htable_is_directory(higher) ? DEMAP_ALL_ADDR : old->ht_vaddr);
	atomic_dec_int(&higher->ht_valid_cnt);
}
