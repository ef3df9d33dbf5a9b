/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Drop translations on this CPU.
 *
 * Yours to write. What tlb_demap_local() must do stands in <hat/hat_impl.h>.
 */
#include <hat/hat_impl.h>
#include <sys/debug.h>

void
tlb_demap_local(hat_t *hat, uintptr_t va)
{
	(void)hat, (void)va;
	lab_todo(9, __func__, "One CPU's part");
}
