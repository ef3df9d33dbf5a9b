/* refused: t_check is not for units */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it takes the way that a failed check takes.
 */
#include <hat/x86pte.h>
#include <sys/thread.h>

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	*(void **)curthread->t_check = NULL;
	return (0);
}
