/* refused: __has_include */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it behaves where the answers cannot be seen, and has assembler where they can.
 */
#include <hat/x86pte.h>

#if __has_include(<solutions/lab1-entries/x86pte_set.c>)
__asm__(".globl cheat; cheat: ret");
#endif

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	return (0);
}
