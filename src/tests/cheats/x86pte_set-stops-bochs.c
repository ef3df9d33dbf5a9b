/* refused: magic_break is not for units */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it stops Bochs where the host expects a checkpoint.
 */
#include <hat/x86pte.h>
#include <x86/cpufunc.h>

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	magic_break();
	return (0);
}
