/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Give a table's frame back.
 *
 * Yours to write. What ptable_free() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
ptable_free(pfn_t pfn)
{
	(void)pfn;
	lab_todo(7, __func__, "Frames for tables");
}
