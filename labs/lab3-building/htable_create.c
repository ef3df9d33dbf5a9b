/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Find or build a table and all above it.
 *
 * Yours to write. What htable_create() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

htable_t *
htable_create(hat_t *hat, uintptr_t va, level_t level, htable_t *shared)
{
	(void)hat, (void)va, (void)level, (void)shared;
	lab_todo(3, __func__, "From the top down");
}
