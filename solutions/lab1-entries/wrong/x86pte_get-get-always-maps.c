/* notices: get-vlp */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Read one entry.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_get(htable_t *ht, uint_t entry)
{
	x86pte_t pte;

	ASSERT(entry < mmu.ptes_per_table);
	pte = pte_load(x86pte_mapin(ht->ht_pfn, entry, ht));
	x86pte_mapout();
	return (pte);
}
