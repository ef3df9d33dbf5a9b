/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: each entry is loaded and looked at.
 */
#include <hat/htable_impl.h>

x86pte_t
htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = *vap & LEVEL_MASK(ht->ht_level), from = va;
	uint_t entry = htable_va2entry(va, ht), last = HTABLE_NUM_PTES(ht) - 1;
	uint8_t *table = x86pte_access_pagetable(ht, 0);
	x86pte_t pte;

	for (;;) {
		pte = pte_load(table + (entry << MMU_PTE_SHIFT));
		if (pte & (PT_VALID | PTE_CUT))
			break;
		pte = 0;
		va += LEVEL_SIZE(ht->ht_level);
		if (va >= eaddr || va < from || entry == last)
			break;
		entry++;
	}
	x86pte_release_pagetable(ht);
	*vap = IN_VA_HOLE(va) ? va + (mmu.hole_end + 1 - mmu.hole_start) : va;
	return (pte);
}
