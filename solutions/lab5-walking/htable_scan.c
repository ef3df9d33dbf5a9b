/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The next valid entry of one table.
 */
#include <hat/htable_impl.h>

/** The valid bit is in the first byte of an entry of any size: most of a sparse table is passed over in four instructions each. */
static uint_t
next_valid(const volatile uint8_t *p, uint_t entry, uint_t end)
{
	uint_t size = mmu.pte_size;

	while (entry < end && !(*p & PT_VALID)) {
		entry++;
		p += size;
	}
	return (entry);
}

/** How many entries there are to look at: those below eaddr. */
static uint_t
last_entry(const htable_t *ht, uint_t entry, uintptr_t va, uintptr_t eaddr)
{
	uint_t n = HTABLE_NUM_PTES(ht);
	uintptr_t left = (eaddr - 1 - va) >> LEVEL_SHIFT(ht->ht_level);

	/* above a hole the entries are not where addresses say: they hold no leaves, and an overshoot only ends the walk */
	return (left < n - 1 - entry ? entry + (uint_t)left + 1 : n);
}

/** What is not the first entry: found by looking on. */
static x86pte_t
look_on(htable_t *ht, char *p, uintptr_t *vap, uint_t start, uintptr_t eaddr)
{
	uintptr_t va = *vap;
	uint_t end = va < eaddr ? last_entry(ht, start, va, eaddr) : start + 1, entry = start;
	x86pte_t pte = 0;

	while ((entry = next_valid((uint8_t *)p + ((entry - start) << mmu.pte_size_shift), entry, end)) < end) {
		pte = pte_load(p + ((entry - start) << mmu.pte_size_shift));
		if (PTE_ISVALID(pte))
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
	char *p = x86pte_access_pagetable(ht, start);
	x86pte_t pte = pte_load(p);

	*vap &= LEVEL_MASK(ht->ht_level);
	if (!PTE_ISVALID(pte))
		pte = look_on(ht, p, vap, start, eaddr);
	x86pte_release_pagetable(ht);
	return (pte);
}
