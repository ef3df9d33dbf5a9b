/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A frame for a table.
 *
 * Yours to write. What ptable_alloc() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

pfn_t
ptable_alloc(uintptr_t seed)
{
	(void)seed;
	lab_todo(7, __func__, "Frames for tables");
}
