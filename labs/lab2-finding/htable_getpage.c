/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The table that maps the page at an address.
 *
 * Yours to write. What htable_getpage() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

htable_t *
htable_getpage(hat_t *hat, uintptr_t va, uint_t *entryp)
{
	(void)hat, (void)va, (void)entryp;
	lab_todo(2, __func__, "From an address to its entry");
}
