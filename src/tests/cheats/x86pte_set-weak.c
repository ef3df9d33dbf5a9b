/* refused: attribute weak */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: its function is weak, so that the answer would win a link.
 */
#include <hat/x86pte.h>

x86pte_t x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr) __attribute__((weak));

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	return (0);
}
