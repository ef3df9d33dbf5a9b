/* notices: inval-flush, inval-stale */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Clear a leaf.
 */
#include <hat/x86pte.h>

static inline x86pte_t
clear(htable_t *ht, uint_t entry, volatile void *p, x86pte_t expect)
{
	x86pte_t old = expect != 0 ? expect : pte_load(p), found;

	/* loses when the MMU sets accessed or dirty: those count too */
	while ((found = pte_cas(p, old, 0)) != old) {
		if (expect != 0 && ((found ^ expect) & PT_PADDR) != 0)
			return (found);
		old = found;
	}
	if ((old & (PT_REF | PT_MOD)) && !(ht->ht_flags & HTABLE_CUT))
		hat_tlb_inval(ht->ht_hat, htable_e2va(ht, entry + 1));
	return (old);
}

x86pte_t
x86pte_inval(htable_t *ht, uint_t entry, x86pte_t expect, void *ptr)
{
	x86pte_t old;

	ASSERT(!(ht->ht_flags & HTABLE_SHARED_PFN));
	ASSERT(ht->ht_level <= mmu.max_page_level);
	if (ptr != NULL)
		return (clear(ht, entry, ptr, expect));
	old = clear(ht, entry, x86pte_access_pagetable(ht, entry), expect);
	x86pte_release_pagetable(ht);
	return (old);
}
