/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The next mapped page of an address space.
 *
 * Yours to write. What htable_walk() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

x86pte_t
htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr)
{
	(void)hat, (void)htp, (void)vap, (void)eaddr;
	lab_todo(5, __func__, "Across the tree");
}
