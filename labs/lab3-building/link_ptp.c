/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make the parent point at a new table.
 *
 * Yours to write. What link_ptp() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
link_ptp(htable_t *higher, htable_t *new, uintptr_t vaddr)
{
	(void)higher, (void)new, (void)vaddr;
	lab_todo(3, __func__, "The link, and what must come before it");
}
