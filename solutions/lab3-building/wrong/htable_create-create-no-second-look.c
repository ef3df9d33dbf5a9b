/* notices: create-race */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: once a table has been made it is put there, whatever others have done meanwhile.
 */
#include <hat/htable_impl.h>

/**
 * Link a new table into its parent, then let it be found: in this order, under its own lock.
 * @return  the table; or, held, the one that somebody else has put there meanwhile
 */
static htable_t *
publish(htable_t *new, htable_t *parent)
{
	hat_t *hat = new->ht_hat;
	uint_t h = htable_hash(hat, new->ht_vaddr, new->ht_level);

	mutex_enter(htable_lock(hat, h));
	if (parent != NULL) {
		link_ptp(parent, new, new->ht_vaddr);
		new->ht_parent = parent; /* our hold on the parent is the child's now */
	}
	htable_chain_insert(new, h);
	mutex_exit(htable_lock(hat, h));
	htable_chains_grow(hat, h);
	return (new);
}

/** It is there: its parent has that hold already, and a new table is not needed. */
static htable_t *NOINLINE
take_found(htable_t *ht, htable_t *new, htable_t *parent, htable_t *shared)
{
	if (shared != NULL && ht->ht_shares != NULL && ht->ht_shares != shared)
		panic("htable_create: table %p shares from %p, not from %p", (void *)ht, (void *)ht->ht_shares, (void *)shared);
	if (new != NULL)
		htable_free(new);
	htable_release(parent);
	return (ht);
}

/** One level of htable_create(): the caller's hold on the parent is used up, the result is held. */
static htable_t *
find_or_build(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, htable_t *shared)
{
	htable_t *ht, *new;

	ht = htable_lookup(hat, base, level);
	if (ht != NULL)
		return (take_found(ht, NULL, parent, shared));
	new = htable_alloc(hat, base, level, shared);
	ht = publish(new, parent);
	if (ht != new)
		return (take_found(ht, new, parent, shared));
	if (shared != NULL)
		htable_share_hold(shared);
	return (new);
}

htable_t *
htable_create(hat_t *hat, uintptr_t va, level_t level, htable_t *shared)
{
	level_t top = TOP_LEVEL(hat), l;
	htable_t *ht = NULL;

	if (level < 0 || level > top)
		panic("htable_create: level %d does not exist", level);
	/* down from the lowest table that exists, which mostly is the parent */
	for (l = level + 1; l <= top && (ht = htable_lookup(hat, va, l)) == NULL; l++)
		continue;
	for (l--; l >= level; l--)
		ht = find_or_build(hat, htable_base(hat, va, l), l, ht, l == level ? shared : NULL);
	return (ht);
}
