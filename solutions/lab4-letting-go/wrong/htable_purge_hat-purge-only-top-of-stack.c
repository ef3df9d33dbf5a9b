/* notices: purge-cached */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Free a hat's cached tables, or all of them.
 */
#include <hat/htable_impl.h>

static void
free_cached(hat_t *hat)
{
	htable_t *ht;

	atomic_inc_32(&htable_dont_cache); /* or each would come straight back */
	if ((ht = hat_cache_get(hat)) != NULL)
		htable_free(ht);
	atomic_dec_32(&htable_dont_cache);
}

static void
free_chain(struct hat_chains *hc, htable_t **head)
{
	htable_t *ht;

	while ((ht = *head) != NULL) {
		htable_t *source = ht->ht_shares;

		if (source != NULL) /* C-23: hat_unshare() should have come first */
			HAT_MISUSE("N3: table %p still shows table %p", (void *)ht, (void *)source);
		*head = ht->ht_next;
		hc->hc_count--;
		if (!(ht->ht_flags & (HTABLE_SHARED_PFN | HTABLE_VLP)) && htable_keep(ht))
			continue; /* for another address space */
		htable_free(ht);
		if (source != NULL)
			htable_release(source);
	}
}

/** The hat runs nowhere and nobody can find it: no links are cleared, no counts looked at, nothing flushed. */
static void
free_linked(hat_t *hat)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		struct hat_chains *hc = &hat->hat_chains[k];

		for (uint_t i = 0; hc->hc_count > 0; i++)
			free_chain(hc, &hc->hc_head[i]);
	}
}

void
htable_purge_hat(hat_t *hat)
{
	if (hat->hat_ht_cached != NULL)
		free_cached(hat);
	if (hat->hat_flags & HAT_FREEING)
		free_linked(hat);
}
