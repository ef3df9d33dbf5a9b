/* notices: get-value */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Read one entry.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_get(htable_t *ht, uint_t entry)
{
	x86pte32_t pte;

	ASSERT(entry < mmu.ptes_per_table);
	pte = (x86pte32_t)pte_load(x86pte_access_pagetable(ht, entry));
	x86pte_release_pagetable(ht);
	return (pte);
}
