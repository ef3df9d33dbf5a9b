/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Clear a leaf.
 *
 * Yours to write. What x86pte_inval() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
x86pte_inval(htable_t *ht, uint_t entry, x86pte_t expect, void *ptr)
{
	(void)ht, (void)entry, (void)expect, (void)ptr;
	lab_todo(1, __func__, "Clearing a leaf");
}
