/* notices: fallback-bare */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: who wants no frame gets one, and nobody will give it back.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>

/** One more attempt at what htable_alloc() tried: somebody may have given memory back. */
static htable_t *
try_again(bool bare)
{
	htable_t *ht = htable_object_get();

	if (ht == NULL || bare)
		return (ht);
	ht->ht_pfn = ptable_alloc((uintptr_t)ht);
	if (ht->ht_pfn != PFN_INVALID)
		return (ht);
	htable_object_put(ht);
	return (NULL);
}

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
			ht = try_again(bare);
		}
		if (ht != NULL)
			return (ht);
	}
	panic("htable_alloc: no page table can be had and none can be stolen yet");
}
