/* notices: index-outside */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which entry of a table maps an address.
 */
#include <hat/htable.h>

uint_t
htable_va2entry(uintptr_t va, const htable_t *ht)
{
	/* also right for a table of four entries: no address in it has a higher bit */
	return ((va >> LEVEL_SHIFT(ht->ht_level)) & (MMU_PTES - 1));
}
