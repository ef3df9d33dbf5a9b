/* notices[i386]: index-levels */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which entry of a table maps an address.
 */
#include <hat/htable.h>

uint_t
htable_va2entry(uintptr_t va, const htable_t *ht)
{
	ASSERT(va >= ht->ht_vaddr);
	ASSERT(va <= (HTABLE_LAST_PAGE(ht) | PAGEOFFSET));
	return ((va >> LEVEL_SHIFT(ht->ht_level)) & (mmu.top_level_count - 1));
}
