/* notices: link-compares */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Exchange one entry: for links.
 */
#include <hat/x86pte.h>

x86pte_t
x86pte_cas(htable_t *ht, uint_t entry, x86pte_t old, x86pte_t new)
{
	void *p = x86pte_access_pagetable(ht, entry);
	x86pte_t found = pte_cas(p, old, new);

	if (found != old)
		pte_store(p, new);

	x86pte_release_pagetable(ht);
	return (found);
}
