/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The address that an index maps.
 *
 * Yours to write. What htable_e2va() must do stands in <hat/htable.h>.
 */
#include <hat/htable.h>
#include <sys/debug.h>

uintptr_t
htable_e2va(const htable_t *ht, uint_t entry)
{
	(void)ht, (void)entry;
	lab_todo(2, __func__, "Addresses and indices");
}
