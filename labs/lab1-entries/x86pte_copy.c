/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Copy entries into a new table.
 *
 * Yours to write. What x86pte_copy() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

void
x86pte_copy(htable_t *src, htable_t *dest, uint_t entry, uint_t count)
{
	(void)src, (void)dest, (void)entry, (void)count;
	lab_todo(1, __func__, "Copying and zeroing");
}
