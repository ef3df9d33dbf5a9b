/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Give a table up.
 */
#include <hat/htable_impl.h>

static bool
may_cache(const htable_t *ht)
{
	if (ht->ht_hat == NULL || (ht->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)))
		return (false);
	return (use_boot_reserve || (!(ht->ht_hat->hat_flags & HAT_FREEING) && htable_dont_cache == 0));
}

/** Frame and object, for good. */
static NOINLINE void
give_up(htable_t *ht)
{
	if (!(ht->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)))
		ptable_free(ht->ht_pfn);
	ht->ht_pfn = PFN_INVALID; /* a shared frame stays with its source */
	htable_object_put(ht);
}

void
htable_free(htable_t *ht)
{
	if (may_cache(ht))
		hat_cache_put(ht->ht_hat, ht);
	else
		give_up(ht);
}
