/* notices: lookup-lock */
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
	if (level == VLP_LEVEL && (hat->hat_flags & HAT_VLP) && va > hat_vlp_last())
		return (NULL);
	for (ht = *htable_bucket(hat, h); ht != NULL; ht = ht->ht_next)
		if (ht->ht_vaddr == base && ht->ht_level == level)
			break;
	if (ht != NULL && (ht->ht_flags & HTABLE_CUT)) {
		mutex_enter(htable_lock(hat, h));
		ht = md_ask_cold(htable_after_cut, ht); /* a stealer is emptying it */
		mutex_exit(htable_lock(hat, h));
	}
	if (ht != NULL)
		atomic_inc_int(&ht->ht_busy);
	return (ht);
}
