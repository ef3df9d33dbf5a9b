/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Change a leaf's attributes.
 *
 * Yours to write. What x86pte_update() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
x86pte_update(htable_t *ht, uint_t entry, x86pte_t expect, x86pte_t new)
{
	(void)ht, (void)entry, (void)expect, (void)new;
	lab_todo(1, __func__, "Changing a leaf's attributes");
}
