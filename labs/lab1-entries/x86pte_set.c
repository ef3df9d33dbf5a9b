/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Install a leaf.
 *
 * Yours to write. What x86pte_set() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	lab_todo(1, __func__, "Installing a leaf");
}
