/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The index that maps an address.
 *
 * Yours to write. What htable_va2entry() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

uint_t
htable_va2entry(uintptr_t va, const htable_t *ht)
{
	(void)va, (void)ht;
	lab_todo(2, __func__, "Addresses and indices");
}
