/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Look at another address space's tables no longer.
 *
 * Yours to write. What hat_unshare() must do stands in <vm/hat.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
hat_unshare(hat_t *hat, uintptr_t va, size_t len, uint_t szc)
{
	(void)hat, (void)va, (void)len, (void)szc;
	lab_todo(8, __func__, "One frame, two tables");
}
