/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What lies together in one table: runs of leaves, and the next valid entry.
 */
#include <hat/htable_impl.h>

uint_t
htable_run(htable_t *ht, uintptr_t va, uintptr_t eaddr)
{
	uint_t entry = htable_va2entry(va, ht), size = 1u << MMU_PTE_SHIFT, n = 1, most;
	const uint8_t *p = x86pte_mapin(ht->ht_pfn, entry, ht);         /* leaves are in no table that has no frame */
	uint8_t want = PT_VALID | (ht->ht_level > 0 ? PT_PAGESIZE : 0); /* both are in the first byte */

	/* mostly it stands alone; the last entry of a table has nothing behind it that may be looked at */
	if ((entry + 1) % MMU_PTES != 0 && (atomic_load_8(p + size) & want) == want) {
		most = htable_entries_before(ht, entry, va, eaddr) - entry;
		for (p += size; n < most && (atomic_load_8(p) & want) == want; n++)
			p += size;
	}
	x86pte_mapout();
	return (n);
}

uint_t
htable_next_valid(htable_t *ht, uint_t entry, uint_t end, x86pte_t *ptep)
{
	uint8_t *table = x86pte_access_pagetable(ht, 0);
	uint_t size = 1u << MMU_PTE_SHIFT;

	*ptep = 0;
	for (; (entry = htable_skip(ht, entry)) < end; entry++) {
		if (!(atomic_load_8(&table[entry * size]) & PT_VALID))
			continue;
		*ptep = pte_load(&table[entry * size]);
		if (PTE_ISVALID(*ptep))
			break;
	}
	x86pte_release_pagetable(ht);
	return (MIN(entry, end));
}

x86pte_t
htable_sweep(htable_t *ht, uint_t entry, uint_t end)
{
	x86pte_t seen = 0;
	uint_t gone = pte_sweep(x86pte_access_pagetable(ht, entry), end - entry, &seen);

	x86pte_release_pagetable(ht);
	(void)atomic_add_int(&ht->ht_valid_cnt, -(int32_t)gone);
	atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], -(long)gone);
	return (seen);
}

uint_t
htable_entries_before(const htable_t *ht, uint_t entry, uintptr_t va, uintptr_t eaddr)
{
	uint_t n = HTABLE_NUM_PTES(ht);
	uintptr_t left = (eaddr - 1 - va) >> LEVEL_SHIFT(ht->ht_level);

	return (left < n - 1 - entry ? entry + (uint_t)left + 1 : n);
}
