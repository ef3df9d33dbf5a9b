/* refused: assembler */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it takes the answer's object into its own text.
 */
#include <hat/x86pte.h>

__asm__(".section .text; .incbin \"build/amd64/solutions/lab1-entries/x86pte_set.o\"");

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	return (0);
}
