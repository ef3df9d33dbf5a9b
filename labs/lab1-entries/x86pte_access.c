/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The same for a table that may be kept inside its hat.
 *
 * Yours to write. What x86pte_access_pagetable() and x86pte_release_pagetable() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

void *
x86pte_access_pagetable(htable_t *ht, uint_t index)
{
	(void)ht, (void)index;
	lab_todo(1, __func__, "Tables without a frame");
}

void
x86pte_release_pagetable(htable_t *ht)
{
	(void)ht;
	lab_todo(1, __func__, "Tables without a frame");
}
