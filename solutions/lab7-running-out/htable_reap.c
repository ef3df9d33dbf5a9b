/* SPDX-License-Identifier: ISC */
/** @file @brief Give page tables back when memory is short. */
#include <hat/htable_impl.h>

/** The next hat that may be looked at, marked so that it stays; `hat` is unmarked. Start with the kernel's. */
static hat_t *
next_victim(hat_t *hat)
{
	hat_t *next;

	mutex_enter(&hat_list_lock);
	next = hat->hat_next;
	if (hat != kas_hat) {
		atomic_and_32(&hat->hat_flags, ~HAT_VICTIM);
		cv_broadcast(&hat_list_cv);
	}
	while (next != NULL && (next->hat_flags & (HAT_VICTIM | HAT_SHARED | HAT_FREEING)))
		next = next->hat_next;
	if (next != NULL)
		atomic_or_32(&next->hat_flags, HAT_VICTIM);
	mutex_exit(&hat_list_lock);
	return (next);
}

void
htable_reap(void *arg)
{
	(void)arg;
	HATSTAT_INC(hs_reap_attempts);
	if (!can_steal_post_boot)
		return;
	for (hat_t *hat = next_victim(kas_hat); hat != NULL; hat = next_victim(hat))
		htable_purge_hat(hat);
	htable_adjust_reserve();
}
