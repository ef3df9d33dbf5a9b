/* refused: attribute constructor */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it runs before anything else does.
 */
#include <hat/x86pte.h>

static void __attribute__((constructor)) early(void) { mmu.num_level = 0; }

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	return (0);
}
