/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The object cache of htables.
 */
#include <hat/htable_impl.h>

void
htable_init(void)
{
	htable_cache =
	    kmem_cache_create("htable_t", sizeof(htable_t), 0, NULL, NULL, htable_reap, NULL, hat_memload_arena, KMC_NOHASH);
}
