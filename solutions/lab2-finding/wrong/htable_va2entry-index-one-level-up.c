/* notices: index-levels */
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
	/* also right for a table of four entries: no address in it has a higher bit */
	return ((va >> LEVEL_SHIFT(ht->ht_level + 1)) & (MMU_PTES - 1));
}
