/* notices: getpte-lowest */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The lowest table over an address, and its entry.
 */
#include <hat/htable_impl.h>

htable_t *
htable_getpte(hat_t *hat, uintptr_t va, uint_t *entryp, x86pte_t *ptep, level_t level)
{
	htable_t *ht = NULL;
	uint_t entry;

	ASSERT(level <= mmu.max_page_level);
	for (level_t l = 0; ht == NULL && l <= level; l++)
		ht = htable_lookup(hat, va, l);
	if (ht == NULL)
		return (NULL);
	htable_acquire(ht); /* so that it stays */
	entry = htable_va2entry(va, ht);
	if (entryp != NULL)
		*entryp = entry;
	if (ptep != NULL)
		*ptep = x86pte_get(ht, entry);
	return (ht);
}
