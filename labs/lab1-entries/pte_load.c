/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Load an entry in one piece.
 *
 * Yours to write. What pte_load() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
pte_load(volatile void *p)
{
	(void)p;
	lab_todo(1, __func__, "Entries are read whole");
}
