/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A hat's stack of ready tables.
 *
 * Yours to write. What hat_cache_get() and hat_cache_put() must do stands in <hat/htable_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

htable_t *
hat_cache_get(hat_t *hat)
{
	(void)hat;
	lab_todo(4, __func__, "Ready tables");
}

void
hat_cache_put(hat_t *hat, htable_t *ht)
{
	(void)hat, (void)ht;
	lab_todo(4, __func__, "Ready tables");
}
