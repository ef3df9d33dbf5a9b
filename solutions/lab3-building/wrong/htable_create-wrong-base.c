/* notices: create-path */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the base is rounded to what one entry maps, not to what the table covers.
 */
#include <hat/htable_impl.h>

/** Link a new table into its parent, then let it be found: in this order, under its own lock. */
static void
publish(htable_t *new, uint_t h, htable_t *parent)
{
	if (parent != NULL) {
		link_ptp(parent, new, new->ht_vaddr);
		new->ht_parent = parent; /* our hold on the parent is the child's now */
	}
	htable_chain_insert(new, h);
}

/** The table was there: hold it, and drop what is not needed. Entered with its lock held. */
static void
take_found(htable_t *ht, uint_t h, htable_t *new, htable_t *parent)
{
	ht->ht_busy++;
	mutex_exit(htable_lock(ht->ht_hat, h));
	if (new != NULL)
		htable_free(new); /* somebody was faster */
	htable_release(parent);   /* the child has a hold of its own on it */
}

/** One level of htable_create(): the caller's hold on the parent is used up, the result is held. */
static htable_t *
find_or_build(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, htable_t *shared)
{
	uint_t h = htable_hash(hat, base, level);
	htable_t *ht, *new = NULL;

	for (;;) {
		mutex_enter(htable_lock(hat, h));
		ht = htable_chain_find(hat, h, base, level);
		if (ht != NULL || new != NULL)
			break;
		mutex_exit(htable_lock(hat, h));
		new = htable_alloc(hat, base, level, shared); /* may sleep: look again afterwards */
	}
	if (ht != NULL) {
		if (shared != NULL && ht->ht_shares != NULL && ht->ht_shares != shared)
			panic("htable_create: table %p shares from %p, not from %p", (void *)ht, (void *)ht->ht_shares,
			    (void *)shared);
		take_found(ht, h, new, parent);
		return (ht);
	}
	publish(new, h, parent);
	mutex_exit(htable_lock(hat, h));
	htable_chains_grow(hat, h);
	if (shared != NULL)
		htable_share_hold(shared);
	return (new);
}

htable_t *
htable_create(hat_t *hat, uintptr_t va, level_t level, htable_t *shared)
{
	htable_t *ht = NULL;

	if (level < 0 || level > TOP_LEVEL(hat))
		panic("htable_create: level %d does not exist", level);
	for (level_t l = TOP_LEVEL(hat); l >= level; l--)
		ht = find_or_build(hat, l == TOP_LEVEL(hat) ? 0 : va & LEVEL_MASK(l), l, ht, l == level ? shared : NULL);
	return (ht);
}
