/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The next valid entry of one table.
 */
#include <hat/htable_impl.h>

/** Valid, or a slot whose table is cut off: whoever looks for that table waits, and finds out what is there. */
#define THERE (PT_VALID | PTE_CUT)

/** Is any of these four adjacent entries there? Their low halves say so, whatever their size. */
static inline bool
any_of_four(const uint8_t *e)
{
	uint_t step = 1u << MMU_PTE_SHIFT;
	uint32_t any = atomic_load_32(e) | atomic_load_32(e + step) | atomic_load_32(e + 2 * step) | atomic_load_32(e + 3 * step);

	return ((any & THERE) != 0);
}

/*
 * The first entry before `end` that is there, or end. Whoever goes by it loads the entry: this only looks. An empty group costs nothing,
 * groups are multiples of four entries.
 */
static uint_t
next_valid(const htable_t *ht, const void *table, uint_t entry, uint_t end)
{
	uint_t group = (1u << MMU_GROUP_SHIFT) - 1;

	while ((entry = htable_skip(ht, entry)) < end) {
		uint_t stop = MIN((entry | group) + 1, end);

		for (; entry + 4 <= stop; entry += 4)
			if (any_of_four(PT_INDEX_PTR(table, entry)))
				break;
		for (; entry < stop; entry++)
			if (atomic_load_32(PT_INDEX_PTR(table, entry)) & THERE)
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
		pte = pte_load(table + (entry << MMU_PTE_SHIFT));
		if (pte & THERE)
			break;
		pte = 0;
		entry++; /* it has just gone */
	}
	va += (uintptr_t)(entry - start) << LEVEL_SHIFT(ht->ht_level);
	if (IN_VA_HOLE(va)) /* the entries for what is above the hole follow those for what is below */
		va += mmu.hole_end + 1 - mmu.hole_start;
	*vap = va < *vap ? 0 : va; /* 0: the end of the address space */
	return (pte);
}

x86pte_t
htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	uint_t start = htable_va2entry(*vap, ht);
	uint8_t *table = x86pte_access_pagetable(ht, 0);
	x86pte_t pte = pte_load(table + (start << MMU_PTE_SHIFT));

	*vap &= LEVEL_MASK(ht->ht_level);
	if (!PTE_ISVALID(pte))
		pte = look_on(ht, table, vap, start, eaddr);
	x86pte_release_pagetable(ht);
	return (pte);
}
