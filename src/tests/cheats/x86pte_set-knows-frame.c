/* refused: __builtin_frame_address */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it changes its own return address.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	((uintptr_t *)__builtin_frame_address(0))[1] += 5;
	return (0);
}
