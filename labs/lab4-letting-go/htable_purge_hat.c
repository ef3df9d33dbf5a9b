/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Free what a hat has kept.
 *
 * Yours to write. What htable_purge_hat() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

void
htable_purge_hat(hat_t *hat)
{
	(void)hat;
	lab_todo(4, __func__, "Everything at once");
}
