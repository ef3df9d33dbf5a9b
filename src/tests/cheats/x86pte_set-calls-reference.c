/* refused: refers to x86pte_set__ref */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it calls the reference under the name that the trial link gives it.
 */
#include <hat/x86pte.h>

x86pte_t x86pte_set__ref(htable_t *ht, uint_t entry, x86pte_t new, void *ptr);

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	return (x86pte_set__ref(ht, entry, new, ptr));
}
