/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way that is as right: one theft for each table.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <vm/page.h>

void
htable_reap(void *arg)
{
	uint_t n = (uint_t)MAX(10ul, MIN(physmem / 20, (ulong_t)active_ptables / 20));
	htable_t *ht;

	(void)arg;
	HATSTAT_INC(hs_reap_attempts);
	if (!can_steal_post_boot)
		return;
	while (n-- > 0 && (ht = htable_steal(1)) != NULL) {
		HATSTAT_INC(hs_reaped);
		htable_free(ht); /* it has no owner any more: frame and object go for good */
	}
	htable_adjust_reserve();
	hment_adjust_reserve();
}
