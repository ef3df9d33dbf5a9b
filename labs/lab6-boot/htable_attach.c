/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Describe the tables that boot built.
 *
 * Yours to write. What htable_attach() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

void
htable_attach(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, pfn_t pfn)
{
	(void)hat, (void)base, (void)level, (void)parent, (void)pfn;
	lab_todo(6, __func__, "Adoption");
}
