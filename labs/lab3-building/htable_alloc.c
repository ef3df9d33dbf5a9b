/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Produce a private table.
 *
 * Yours to write. What htable_alloc() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

htable_t *
htable_alloc(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared)
{
	(void)hat, (void)vaddr, (void)level, (void)shared;
	lab_todo(3, __func__, "A table that nobody knows yet");
}
