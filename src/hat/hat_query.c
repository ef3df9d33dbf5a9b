/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Questions about one address (spec 9.3).
 */
#include <hat/htable_impl.h>

/** The leaf at any address: its entry, and its table, held; 0 and NULL when there is none. */
static x86pte_t
leaf_at(hat_t *hat, uintptr_t va, htable_t **htp)
{
	htable_t *ht = NULL;
	x86pte_t pte = 0;
	uint_t entry;

	if (khat_running && !IN_VA_HOLE(va))
		ht = htable_getpage(hat, va & PAGEMASK, &entry);
	if (ht != NULL)
		pte = x86pte_get(ht, entry); /* may have vanished since */
	*htp = ht;
	return (ht != NULL && PTE_ISPAGE(pte, ht->ht_level) ? pte : 0);
}

pfn_t
hat_getpfnum(hat_t *hat, uintptr_t va)
{
	htable_t *ht;
	x86pte_t pte = leaf_at(hat, va, &ht);
	pfn_t pfn = PFN_INVALID;

	if (pte != 0)
		pfn = PTE2PFN(pte, ht->ht_level) + ((va & LEVEL_OFFSET(ht->ht_level)) >> PAGESHIFT);
	htable_release(ht);
	return (pfn);
}

int
hat_getattr(hat_t *hat, uintptr_t va, uint_t *attrp)
{
	htable_t *ht;
	x86pte_t pte = leaf_at(hat, va, &ht);

	htable_release(ht);
	if (pte == 0)
		return (-1);
	*attrp = PROT_READ;
	if (pte & PT_WRITABLE)
		*attrp |= PROT_WRITE;
	if (pte & PT_USER)
		*attrp |= PROT_USER;
	if (!(pte & PT_NX))
		*attrp |= PROT_EXEC;
	if ((pte & PT_SOFTWARE) >= PT_NOSYNC)
		*attrp |= HAT_NOSYNC;
	return (0);
}

long
hat_getpagesize(hat_t *hat, uintptr_t va)
{
	htable_t *ht;
	long size = leaf_at(hat, va, &ht) != 0 ? (long)LEVEL_SIZE(ht->ht_level) : -1;

	htable_release(ht);
	return (size);
}

int
hat_probe(hat_t *hat, uintptr_t va)
{
	htable_t *ht;
	int mapped = leaf_at(hat, va, &ht) != 0;

	htable_release(ht); /* accepts NULL (C-38) */
	return (mapped);
}

size_t
hat_get_mapped_size(hat_t *hat)
{
	size_t bytes = hat->hat_ism_pgcnt << PAGESHIFT; /* C-36: pages are not bytes */

	for (level_t l = 0; l <= mmu.max_page_level; l++)
		bytes += hat->hat_pages_mapped[l] << LEVEL_SHIFT(l);
	return (bytes);
}
