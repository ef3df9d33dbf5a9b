/* SPDX-License-Identifier: ISC */
/** @file @brief The next valid entry of one table. */
#include <hat/htable_impl.h>

x86pte_t
htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	uint_t entry = htable_va2entry(*vap, ht);
	uintptr_t va = *vap & LEVEL_MASK(ht->ht_level);
	char *p = x86pte_access_pagetable(ht, entry);
	x86pte_t pte;

	for (;;) {
		pte = pte_load(p);
		if (PTE_ISVALID(pte))
			break;
		pte = 0;
		va = NEXT_ENTRY_VA(va, ht->ht_level);
		if (++entry == HTABLE_NUM_PTES(ht) || va == 0 || va >= eaddr)
			break;
		p += mmu.pte_size;
	}
	x86pte_release_pagetable(ht);
	*vap = va;
	return (pte);
}
