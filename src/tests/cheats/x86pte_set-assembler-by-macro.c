/* refused: assembler */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: assembler that is put together by a macro.
 */
#include <hat/x86pte.h>

#define JOIN(a, b) a##b
#define DO(what)   JOIN(__as, m__)(what)

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	DO("outb %%al, $0xe9" : : "a"('%'));
	return (0);
}
