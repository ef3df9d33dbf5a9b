/* notices: fallback-waits */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: memory that is free again is not asked for.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>

/** Nothing to steal, nothing to be had: let others run, then sleep, longer each time up to an eighth of a second (C-4). */
static void
back_off(uint_t turn)
{
	if (turn < 4)
		thread_yield();
	else
		thread_delay(MIN(turn - 3, 12u));
}

htable_t *
htable_alloc_fallback(hat_t *hat, bool bare)
{
	htable_t *ht;

	(void)hat;
	for (uint_t turn = 0; can_steal_post_boot; turn++) {
		kmem_reap();
		HATSTAT_INC(hs_steals);
		ht = htable_steal(1);
		if (ht == NULL) {
			back_off(turn);
		} else if (bare) {
			ptable_free(ht->ht_pfn);
			ht->ht_pfn = PFN_INVALID;
		}
		if (ht != NULL)
			return (ht);
	}
	panic("htable_alloc: no page table can be had and none can be stolen yet");
}
