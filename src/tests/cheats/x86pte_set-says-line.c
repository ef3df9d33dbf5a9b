/* refused: #line is not taken here */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it says that its lines are a header's.
 */
#include <hat/x86pte.h>
#line 1 "src/x86/cpufunc.h"
static inline void
leave(void)
{
	__asm__ volatile("xchg %bx, %bx");
}
#line 12 "src/tests/cheats/x86pte_set-says-line.c"

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	leave();
	return (0);
}
