/* notices: link-exchanges */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Exchange one entry: for links.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_cas(htable_t *ht, uint_t entry, x86pte_t old, x86pte_t new)
{
	x86pte_t found = pte_cas(x86pte_access_pagetable(ht, entry), old, new);

	x86pte_release_pagetable(ht);
	return (found == old);
}
