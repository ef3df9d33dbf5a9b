/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Tables that an address space leaves behind, kept for the next one.
 *
 * A process that has just ended is followed by one that needs the same few tables. Handing them on, zeroed, saves two visits each to the
 * object cache, the page allocator and the accounts. They lie on the kernel's cached stack, as its own unused tables
 * do; kmem_reap() takes them back.
 */
#include <hat/htable_impl.h>
#include <vm/page.h>

#define MOST 8 /* two one-page processes' worth */

/** About so many lie there: the kernel pushes and pops too, and says nothing. Two at once may take one too many off. */
static volatile int32_t kept;

bool
htable_keep(htable_t *ht)
{
	if (kept >= MOST || freemem <= 2 * throttlefree || htable_dont_cache != 0)
		return (false);
	atomic_inc_int(&kept);
	x86pte_zero(ht, 0, mmu.ptes_per_table);
	ht->ht_hat = kas_hat;
	ht->ht_valid_cnt = 0;
	ht->ht_lock_cnt = 0;
	hat_cache_put(kas_hat, ht);
	return (true);
}

htable_t *
htable_kept(void)
{
	htable_t *ht = kas_hat->hat_ht_cached != NULL ? hat_cache_get(kas_hat) : NULL;

	if (ht == NULL)
		kept = 0; /* the kernel may have used them: more can be kept again */
	else if (kept > 0)
		atomic_dec_int(&kept);
	return (ht);
}

void
htable_keep_none(void *arg)
{
	(void)arg;
	htable_purge_hat(kas_hat);
	kept = 0;
}
