/* notices: getpage-none */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The table that maps the page at an address.
 */
#include <hat/htable_impl.h>

htable_t *
htable_getpage(hat_t *hat, uintptr_t va, uint_t *entryp)
{
	x86pte_t pte;
	htable_t *ht = htable_getpte(hat, va, entryp, &pte, mmu.max_page_level);

	if (ht == NULL || PTE_ISPAGE(pte, ht->ht_level))
		return (ht);
	return (NULL);
}
