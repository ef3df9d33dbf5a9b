/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A table that shows another one's frame.
 *
 * Yours to write. What htable_share_init() and htable_share_hold() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

void
htable_share_init(htable_t *ht, htable_t *source)
{
	(void)ht, (void)source;
	lab_todo(8, __func__, "One frame, two tables");
}

void
htable_share_hold(htable_t *source)
{
	(void)source;
	lab_todo(8, __func__, "One frame, two tables");
}
