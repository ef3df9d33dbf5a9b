/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Install a leaf.
 */
#include <hat/x86pte.h>
#include <x86/cpufunc.h>

/** A new leaf for the same frame inherits what the MMU has noted about it. */
static x86pte_t
keep_ref_mod(x86pte_t old, x86pte_t new, level_t level)
{
	x86pte_t frame = level == 0 ? PT_PADDR : PT_PADDR_LGPG;

	if (!PTE_ISVALID(new) || ((old ^ new) & frame) != 0)
		return (new);
	return (new | (old & (PT_REF | PT_MOD)));
}

static x86pte_t
install(htable_t *ht, uint_t entry, volatile void *p, x86pte_t new)
{
	uintptr_t va = htable_e2va(ht, entry);
	x86pte_t old, with_bits;

	do {
		old = pte_load(p);
		with_bits = keep_ref_mod(old, new, ht->ht_level);
		if (old == with_bits) {
			invlpg(va); /* we may have faulted on a stale, weaker translation */
			return (new);
		}
		if (ht->ht_level > 0 && (old & (PT_VALID | PTE_CUT)) && !PTE_ISPAGE(old, ht->ht_level))
			return (LPAGE_ERROR); /* a table is there, or may come back */
	} while (pte_cas(p, old, with_bits) != old);
	if (old & PT_REF)
		hat_tlb_inval(ht->ht_hat, va);
	return (old);
}

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	x86pte_t old;

	ASSERT(new != 0);
	ASSERT(!(ht->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)));
	if (ptr != NULL)
		return (install(ht, entry, ptr, new));
	old = install(ht, entry, x86pte_access_pagetable(ht, entry), new);
	x86pte_release_pagetable(ht);
	return (old);
}
