/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Drop translations on every CPU that may hold them.
 *
 * Yours to write. What hat_tlb_inval() must do stands in <hat/hat_impl.h>.
 */
#include <hat/hat_impl.h>
#include <sys/debug.h>

void
hat_tlb_inval(hat_t *hat, uintptr_t va)
{
	(void)hat, (void)va;
	lab_todo(9, __func__, "The shootdown");
}
