/* notices[boot]: init-reclaim */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the cache does not know whom to ask when memory is short.
 */
#include <hat/htable_impl.h>

void
htable_init(void)
{
	htable_cache = kmem_cache_create("htable_t", sizeof(htable_t), 0, NULL, NULL, NULL, NULL, hat_memload_arena, KMC_NOHASH);
}
