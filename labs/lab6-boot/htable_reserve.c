/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Objects set aside for those who must not allocate.
 *
 * Yours to write. What they must do stands in <hat/htable_impl.h> and <hat/htable.h>.
 */
#include <hat/htable_impl.h>
#include <hat/htable.h>
#include <sys/debug.h>

void
htable_put_reserve(htable_t *ht)
{
	(void)ht;
	lab_todo(6, __func__, "The reserve");
}

htable_t *
htable_get_reserve(void)
{
	lab_todo(6, __func__, "The reserve");
}

void
htable_initial_reserve(uint_t count)
{
	(void)count;
	lab_todo(6, __func__, "Enough for boot");
}

void
htable_adjust_reserve(void)
{
	lab_todo(6, __func__, "The reserve");
}
