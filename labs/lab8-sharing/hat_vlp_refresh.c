/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Copy a VLP hat's entries to where the MMU reads them.
 *
 * Yours to write. What hat_vlp_refresh() must do stands in <hat/hat_impl.h>.
 */
#include <hat/hat_impl.h>
#include <sys/debug.h>

void
hat_vlp_refresh(hat_t *hat)
{
	(void)hat;
	lab_todo(8, __func__, "Four entries without a frame");
}
