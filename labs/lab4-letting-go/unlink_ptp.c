/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Take a link out of the parent.
 *
 * Yours to write. What unlink_ptp() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
unlink_ptp(htable_t *higher, htable_t *old, uintptr_t vaddr)
{
	(void)higher, (void)old, (void)vaddr;
	lab_todo(4, __func__, "Who else may remember it");
}
