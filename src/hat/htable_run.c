/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Walking by runs: adjacent leaves of one table are found together.
 */
#include <hat/htable_impl.h>

/** How many leaves there are from an entry on, without a gap, below `end`. The first one has been seen. */
static uint_t
count_leaves(htable_t *ht, uint_t entry, uint_t end)
{
	const volatile uint8_t *p = x86pte_access_pagetable(ht, entry);
	uint8_t want = PT_VALID | (ht->ht_level > 0 ? PT_PAGESIZE : 0);		/* both are in the first byte */
	uint_t size = mmu.pte_size, first = entry;

	for (entry++, p += size; entry < end && (*p & want) == want; entry++)
		p += size;
	x86pte_release_pagetable(ht);
	return (entry - first);
}

uint_t
htable_next_valid(htable_t *ht, uint_t entry, uint_t end, x86pte_t *ptep)
{
	const volatile uint8_t *table = x86pte_access_pagetable(ht, 0);
	uint_t size = mmu.pte_size;

	*ptep = 0;
	for (; (entry = htable_skip(ht, entry)) < end; entry++) {
		if (!(table[entry * size] & PT_VALID))
			continue;
		*ptep = pte_load((void *)(uintptr_t)&table[entry * size]);
		if (PTE_ISVALID(*ptep))
			break;
	}
	x86pte_release_pagetable(ht);
	return (MIN(entry, end));
}

uint_t
htable_entries_before(const htable_t *ht, uint_t entry, uintptr_t va, uintptr_t eaddr)
{
	uint_t n = HTABLE_NUM_PTES(ht);
	uintptr_t left = (eaddr - 1 - va) >> LEVEL_SHIFT(ht->ht_level);

	return (left < n - 1 - entry ? entry + (uint_t)left + 1 : n);
}

x86pte_t
htable_walk_run(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr, uint_t *np)
{
	x86pte_t pte = htable_walk(hat, htp, vap, eaddr);

	if (pte != 0) {
		uint_t entry = htable_va2entry(*vap, *htp);

		*np = count_leaves(*htp, entry, htable_entries_before(*htp, entry, *vap, eaddr));
	}
	return (pte);
}
