/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief CPUs that sleep through a shootdown.
 *
 * Yours to write. What tlb_going_idle() and tlb_service() must do stands in <hat/hat_impl.h>.
 */
#include <hat/hat_impl.h>
#include <sys/debug.h>

void
tlb_going_idle(void)
{
	lab_todo(9, __func__, "Let sleeping CPUs lie");
}

void
tlb_service(void)
{
	lab_todo(9, __func__, "Let sleeping CPUs lie");
}
