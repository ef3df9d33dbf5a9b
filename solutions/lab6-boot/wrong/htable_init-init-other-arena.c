/* notices[boot]: init-arena */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: slabs from the arena that everybody uses: mapping one may need a page table.
 */
#include <hat/htable_impl.h>

void
htable_init(void)
{
	htable_cache = kmem_cache_create("htable_t", sizeof(htable_t), 0, NULL, NULL, htable_reap, NULL, NULL, KMC_NOHASH);
}
