/* notices: access-table */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Reach the entries of a table, wherever they are.
 */
#include <hat/x86pte.h>

void *
x86pte_access_pagetable(htable_t *ht, uint_t index)
{
	if (ht->ht_flags & HTABLE_VLP)
		return (&ht->ht_hat->hat_vlp_ptes[index]);
	return (x86pte_mapin(ht->ht_pfn, 0, ht));
}

void
x86pte_release_pagetable(htable_t *ht)
{
	if (!(ht->ht_flags & HTABLE_VLP))
		x86pte_mapout();
}
