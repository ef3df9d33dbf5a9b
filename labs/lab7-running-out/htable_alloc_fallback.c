/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What to do when nothing can be had.
 *
 * Yours to write. What htable_alloc_fallback() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

htable_t *
htable_alloc_fallback(hat_t *hat, bool bare)
{
	(void)hat, (void)bare;
	lab_todo(7, __func__, "When nothing can be had");
}
