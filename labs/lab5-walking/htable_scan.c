/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The next valid entry of one table.
 *
 * Yours to write. What htable_scan() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

x86pte_t
htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	(void)ht, (void)vap, (void)eaddr;
	lab_todo(5, __func__, "Along one table");
}
