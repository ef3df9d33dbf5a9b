/* notices: reaper-early */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: it steals before there is anybody to steal from.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <vm/page.h>

void
htable_reap(void *arg)
{
	uint_t n = (uint_t)MAX(10ul, MIN(physmem / 20, (ulong_t)active_ptables / 20));
	htable_t *ht, *next;

	(void)arg;
	HATSTAT_INC(hs_reap_attempts);
	for (ht = htable_steal(n); ht != NULL; ht = next) {
		next = ht->ht_next;
		HATSTAT_INC(hs_reaped);
		htable_free(ht); /* it has no owner any more: frame and object go for good */
	}
	htable_adjust_reserve();
	hment_adjust_reserve();
}
