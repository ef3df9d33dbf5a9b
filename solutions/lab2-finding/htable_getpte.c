/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The lowest table over an address, and its entry.
 */
#include <hat/htable_impl.h>

static htable_t *
found(htable_t *ht, uintptr_t va, uint_t *entryp, x86pte_t *ptep)
{
	uint_t entry = htable_va2entry(va, ht);

	if (entryp != NULL)
		*entryp = entry;
	if (ptep != NULL)
		*ptep = x86pte_get(ht, entry);
	return (ht);
}

static htable_t *COLD
look_above(hat_t *hat, uintptr_t va, uint_t *entryp, x86pte_t *ptep, level_t level)
{
	htable_t *ht = NULL;

	for (level_t l = 1; ht == NULL && l <= level; l++)
		ht = htable_lookup(hat, va, l);
	return (ht == NULL ? NULL : found(ht, va, entryp, ptep));
}

htable_t *FLATTEN
htable_getpte(hat_t *hat, uintptr_t va, uint_t *entryp, x86pte_t *ptep, level_t level)
{
	htable_t *ht = htable_lookup(hat, va, 0); /* mostly the one */

	ASSERT(level <= mmu.max_page_level);
	if (ht != NULL)
		return (found(ht, va, entryp, ptep));
	return (level > 0 ? look_above(hat, va, entryp, ptep, level) : NULL);
}
