/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A write that came through a stale translation.
 *
 * Yours to write. What pte_lost_write() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
pte_lost_write(volatile void *p, x86pte_t expect, x86pte_t new)
{
	(void)p, (void)expect, (void)new;
	lab_todo(9, __func__, "The lost write");
}
