/* SPDX-License-Identifier: ISC */
/** @file @brief Nothing is left: make some, or wait. */
#include <hat/htable_impl.h>
#include <sys/thread.h>

htable_t *
htable_alloc_fallback(hat_t *hat, bool bare)
{
	(void)hat;
	while (can_steal_post_boot) {
		htable_t *ht;

		kmem_reap_sync();
		thread_yield();		/* let those run who can give memory back */
		ht = htable_object_get();
		if (ht == NULL)
			continue;
		if (!bare)
			ht->ht_pfn = ptable_alloc((uintptr_t)ht);
		if (bare || ht->ht_pfn != PFN_INVALID)
			return (ht);
		htable_object_put(ht);
	}
	panic("htable_alloc: no page table can be had and none can be stolen yet");
}
