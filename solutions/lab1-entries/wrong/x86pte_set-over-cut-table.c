/* notices: set-link */
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

/** Something is there: exchange until it holds. The result is what x86pte_set() returns. */
static x86pte_t
replace(htable_t *ht, uint_t entry, volatile void *p, x86pte_t found, x86pte_t new)
{
	x86pte_t old;

	do {
		x86pte_t with_bits = keep_ref_mod(found, new, ht->ht_level);

		old = found;
		if (old == with_bits) {
			invlpg(htable_e2va(ht, entry)); /* we may have faulted on a stale, weaker translation */
			return (new);
		}
		if (ht->ht_level > 0 && (old & PT_VALID) && !PTE_ISPAGE(old, ht->ht_level))
			return (LPAGE_ERROR); /* a table is there, or may come back */
		found = pte_cas(p, old, with_bits);
	} while (found != old);

	if (old & PT_REF)
		hat_tlb_inval(ht->ht_hat, htable_e2va(ht, entry));
	return (old);
}

static inline x86pte_t
install(htable_t *ht, uint_t entry, volatile void *p, x86pte_t new)
{
	x86pte_t found = pte_cas(p, 0, new); /* mostly nothing is there */

	return (__builtin_expect(found == 0, 1) ? 0 : replace(ht, entry, p, found, new));
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
