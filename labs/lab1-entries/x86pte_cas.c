/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Exchange a link.
 *
 * Yours to write. What x86pte_cas() must do stands in <hat/x86pte.h>.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>

x86pte_t
x86pte_cas(htable_t *ht, uint_t entry, x86pte_t old, x86pte_t new)
{
	(void)ht, (void)entry, (void)old, (void)new;
	lab_todo(1, __func__, "Links change by one exchange");
}
