/* notices: zero-range */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Clear entries of a private table.
 */
#include <hat/x86pte.h>
#include <sys/string.h>

void
x86pte_zero(htable_t *dest, uint_t entry, uint_t count)
{
	ASSERT(!(dest->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)));
	memset(x86pte_access_pagetable(dest, entry), 0, (size_t)count);
	x86pte_release_pagetable(dest);
}
