/* refused: refers to trial_end */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it ends the trial, so that the reference goes on, and calls itself again.
 */
#include <hat/x86pte.h>

void trial_end(void);

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	trial_end();
	return (0);
}
