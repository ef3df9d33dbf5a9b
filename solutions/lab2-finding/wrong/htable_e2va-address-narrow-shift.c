/* notices[amd64]: address-levels */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which address an entry of a table maps.
 */
#include <hat/htable.h>

uintptr_t
htable_e2va(const htable_t *ht, uint_t entry)
{
	uintptr_t va = ht->ht_vaddr + (entry << LEVEL_SHIFT(ht->ht_level));

	ASSERT(entry < HTABLE_NUM_PTES(ht));
	if (ht->ht_level == MAX_NUM_LEVEL - 1 && va >= mmu.hole_start)
		va += mmu.hole_end - mmu.hole_start + 1;
	return (va);
}
