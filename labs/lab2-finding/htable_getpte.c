/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The lowest table over an address.
 *
 * Yours to write. What htable_getpte() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

htable_t *
htable_getpte(hat_t *hat, uintptr_t va, uint_t *entryp, x86pte_t *ptep, level_t level)
{
	(void)hat, (void)va, (void)entryp, (void)ptep, (void)level;
	lab_todo(2, __func__, "From an address to its entry");
}
