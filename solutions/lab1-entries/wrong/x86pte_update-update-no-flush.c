/* notices: update-changes */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Change a leaf's attributes.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_update(htable_t *ht, uint_t entry, x86pte_t expect, x86pte_t new)
{
	volatile void *p;
	x86pte_t found;

	ASSERT(new != 0);
	ASSERT(!(ht->ht_flags & HTABLE_SHARED_PFN));
	ASSERT(ht->ht_level <= mmu.max_page_level);
	p = x86pte_access_pagetable(ht, entry);
	found = pte_cas(p, expect, new);
	if (found == expect) {
		found = pte_lost_write(p, expect, new);
	}
	x86pte_release_pagetable(ht);
	return (found);
}
