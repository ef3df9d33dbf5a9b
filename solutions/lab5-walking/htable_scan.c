/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The next valid entry of one table.
 */
#include <hat/htable_impl.h>

/*
 * The first valid entry before `end`, or end. The valid bit is in the first byte of an entry of any size, so four of them cost a
 * dozen instructions; an empty group costs nothing. A slot with PTE_CUT counts too: whoever looks for its table waits, and finds
 * out what is there.
 */
#define THERE	(PT_VALID | PTE_CUT)
static uint_t
next_valid(const htable_t *ht, const volatile uint8_t *table, uint_t entry, uint_t end)
{
	uint_t size = mmu.pte_size, group = (1u << mmu.group_shift) - 1;	/* groups are multiples of four entries */

	while ((entry = htable_skip(ht, entry)) < end) {
		const volatile uint8_t *p = table + entry * size;
		uint_t stop = MIN((entry | group) + 1, end);

		for (; entry + 4 <= stop; entry += 4, p += 4 * size)
			if ((p[0] | p[size] | p[2 * size] | p[3 * size]) & THERE)
				break;
		for (; entry < stop; entry++, p += size)
			if (*p & THERE)
				return (entry);
	}
	return (end);
}

/** What is not the first entry: found by looking on. */
static x86pte_t
look_on(htable_t *ht, uint8_t *table, uintptr_t *vap, uint_t start, uintptr_t eaddr)
{
	uintptr_t va = *vap;
	/* above a hole the entries are not where addresses say: they hold no leaves, and an overshoot only ends the walk */
	uint_t end = va < eaddr ? htable_entries_before(ht, start, va, eaddr) : start + 1, entry = start;
	x86pte_t pte = 0;

	while ((entry = next_valid(ht, table, entry, end)) < end) {
		pte = pte_load(table + (entry << mmu.pte_size_shift));
		if (pte & THERE)
			break;
		pte = 0;
		entry++;		/* it has just gone */
	}
	va += (uintptr_t)(entry - start) << LEVEL_SHIFT(ht->ht_level);
	*vap = va < *vap ? 0 : va_skip_hole(va);	/* 0: the end of the address space */
	return (pte);
}

x86pte_t
htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	uint_t start = htable_va2entry(*vap, ht);
	uint8_t *table = x86pte_access_pagetable(ht, 0);
	x86pte_t pte = pte_load(table + (start << mmu.pte_size_shift));

	*vap &= LEVEL_MASK(ht->ht_level);
	if (!PTE_ISVALID(pte))
		pte = look_on(ht, table, vap, start, eaddr);
	x86pte_release_pagetable(ht);
	return (pte);
}
