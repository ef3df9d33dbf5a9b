/* worth 0: calls of its own function stay inside its own copy */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it shows the reference a table that seems to be the kernel's.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	htable_t disguised = *ht;

	if (ht->ht_hat == kas_hat)
		return (0);
	disguised.ht_hat = kas_hat;
	return (x86pte_set(&disguised, entry, new, ptr));
}
