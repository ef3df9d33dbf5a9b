/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Hash chains that stay short: behind each lock, as many as there are tables.
 *
 * A table's lock is chosen by its hash for ever, its chain by more bits of the hash as chains become more. So the chains
 * behind one lock are doubled under that lock alone, and nobody ever needs two.
 */
#include <hat/htable_impl.h>
#include <sys/string.h>

static uint_t
nchains(const struct hat_chains *hc)
{
	return (hc->hc_mask + 1);
}

static bool
embedded(const hat_t *hat, htable_t *const *head)
{
	return ((uintptr_t)head - (uintptr_t)hat->hat_first_chains < sizeof(hat->hat_first_chains));
}

static void
free_array(const hat_t *hat, htable_t **head, uint_t n)
{
	if (!embedded(hat, head))
		kmem_free(head, n * sizeof(htable_t *));
}

void
htable_chains_init(hat_t *hat)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		hat->hat_chains[k].hc_head = hat->hat_first_chains[k];
		hat->hat_chains[k].hc_mask = HAT_MINCHAINS - 1;
	}
}

void
htable_chains_fini(hat_t *hat)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		if (nchains(&hat->hat_chains[k]) > HAT_MINCHAINS)
			free_array(hat, hat->hat_chains[k].hc_head, nchains(&hat->hat_chains[k]));
}

/** Put every table on its chain of the new array. The lock is held. */
static void
move_tables(hat_t *hat, htable_t **old, uint_t n)
{
	for (uint_t i = 0; i < n; i++) {
		htable_t *ht = old[i], *next;

		for (; ht != NULL; ht = next) {
			htable_t **head = htable_bucket(hat, htable_hash(hat, ht->ht_vaddr, ht->ht_level));

			next = ht->ht_next;
			ht->ht_prev = NULL;
			ht->ht_next = *head;
			if (*head != NULL)
				(*head)->ht_prev = ht;
			*head = ht;
		}
	}
}

/** Twice as many chains. What is to be freed is handed back: not under the lock. */
static void COLD
grow(hat_t *hat, struct hat_chains *hc)
{
	uint_t n = nchains(hc);
	htable_t **new = kmem_zalloc(2 * n * sizeof(htable_t *), KM_NOSLEEP), **old = new;

	if (new == NULL)
		return; /* longer chains are slower, and nothing else: the next new table tries again */
	mutex_enter(&hc->hc_lock);
	if (n == nchains(hc)) {
		old = hc->hc_head;
		hc->hc_head = new;
		hc->hc_mask = 2 * n - 1;
		move_tables(hat, old, n);
	}
	mutex_exit(&hc->hc_lock);
	free_array(hat, old, old == new ? 2 * n : n); /* another thread was faster: then our own */
}

void
htable_chains_grow(hat_t *hat, uint_t h)
{
	struct hat_chains *hc = &hat->hat_chains[h % HAT_NLOCKS];

	if (hc->hc_count > nchains(hc) && hat != kas_hat && !use_hat_reserves())
		grow(hat, hc);
}

void
htable_chains_grow_kernel(void)
{
	for (uint_t turn = 0; turn < 4; turn++) /* to at most 32 */
		for (uint_t k = 0; k < HAT_NLOCKS; k++)
			if (nchains(&kas_hat->hat_chains[k]) < 16 ||
			    kas_hat->hat_chains[k].hc_count > nchains(&kas_hat->hat_chains[k]))
				grow(kas_hat, &kas_hat->hat_chains[k]);
}
