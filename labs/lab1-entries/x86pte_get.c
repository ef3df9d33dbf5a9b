/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Read an entry.
 *
 * Yours to write. What x86pte_get() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
x86pte_get(htable_t *ht, uint_t entry)
{
	(void)ht, (void)entry;
	lab_todo(1, __func__, "Reading an entry");
}
