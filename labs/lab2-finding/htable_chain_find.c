/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Look along one chain.
 *
 * Yours to write. What htable_chain_find() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

htable_t *
htable_chain_find(hat_t *hat, uint_t h, uintptr_t base, level_t level)
{
	(void)hat, (void)h, (void)base, (void)level;
	lab_todo(2, __func__, "Chains and their locks");
}
