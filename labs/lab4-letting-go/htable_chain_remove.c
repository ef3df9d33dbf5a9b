/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Let a table be found no longer.
 *
 * Yours to write. What htable_chain_remove() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
htable_chain_remove(htable_t *ht, uint_t h)
{
	(void)ht, (void)h;
	lab_todo(4, __func__, "Out of the chain");
}
