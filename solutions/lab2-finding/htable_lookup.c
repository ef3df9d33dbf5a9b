/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Find a table and hold it.
 */
#include <hat/htable_impl.h>

htable_t *
htable_lookup(hat_t *hat, uintptr_t va, level_t level)
{
	uintptr_t base = htable_base(hat, va, level);
	uint_t h = htable_hash(hat, base, level);
	htable_t *ht;

	ASSERT(level >= 0 && level <= TOP_LEVEL(hat));
	if ((hat->hat_flags & HAT_VLP) && level == VLP_LEVEL &&
	    ((uint64_t)va >> LEVEL_SHIFT(VLP_LEVEL)) >= VLP_NUM_PTES)
		return (NULL);
	mutex_enter(htable_lock(hat, h));
	do
		ht = htable_chain_find(hat, h, base, level);
	while (ht != NULL && (ht->ht_flags & HTABLE_CUT) && htable_cut_wait(hat, h));
	if (ht != NULL)
		ht->ht_busy++;
	mutex_exit(htable_lock(hat, h));
	return (ht);
}
