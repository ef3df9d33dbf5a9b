/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 4 share: a path built by the reference, leaves made by hand, tables counted.
 */
#ifndef LAB4_CHECKS_H
#define LAB4_CHECKS_H

#include <check/check.h>
#include <check/scratch.h>
#include <sys/kmem.h>

/** Every table over an address, by level, and its counts before the copy acts. */
struct path {
	uintptr_t va;
	level_t bottom;
	htable_t *ht[MAX_NUM_LEVEL];
	int32_t busy[MAX_NUM_LEVEL], valid[MAX_NUM_LEVEL];
};

/** Note the counts as they are now. */
static inline void
path_note(struct path *p)
{
	htable_t *ht = p->ht[p->bottom];

	for (level_t l = p->bottom; ht != NULL; ht = ht->ht_parent, l++) {
		p->ht[l] = ht;
		p->busy[l] = ht->ht_busy;
		p->valid[l] = ht->ht_valid_cnt;
	}
}

/** Built from the top down to a level; the check owns a hold on the lowest table. */
static inline htable_t *
path_build(hat_t *hat, struct path *p, uintptr_t va, level_t bottom)
{
	*p = (struct path){ .va = va, .bottom = bottom };
	p->ht[bottom] = htable_create(hat, va, bottom, NULL);
	path_note(p);
	return (p->ht[bottom]);
}

/** The parent's slot for the table of a level. */
static inline x86pte_t
path_slot(const struct path *p, level_t l)
{
	return (raw_entry(p->ht[l + 1], htable_va2entry(p->va, p->ht[l + 1])));
}

/** The lock of a table. */
static inline kmutex_t *
lock_of(const htable_t *ht)
{
	return (htable_lock(ht->ht_hat, htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level)));
}

/** A leaf that nobody records, with all counts: as if loaded. */
static inline x86pte_t
leaf_put(htable_t *ht, uintptr_t va, const page_t *pp)
{
	uint_t entry = htable_va2entry(va, ht);
	x86pte_t e = check_leaf(pp, PT_WRITABLE | PT_NOCONSIST | PT_REF | PT_MOD);

	htable_note(ht, entry);
	put_raw(ht, entry, e);
	ht->ht_valid_cnt++;
	ht->ht_hat->hat_pages_mapped[0]++;
	return (e);
}

static inline void
leaf_take(htable_t *ht, uintptr_t va)
{
	put_raw(ht, htable_va2entry(va, ht), 0);
	ht->ht_valid_cnt--;
	ht->ht_hat->hat_pages_mapped[0]--;
}

/** Frames that are page tables, and objects that are tables of somebody. */
struct tally {
	long frames, objects;
};

static inline struct tally
tally_now(void)
{
	return ((struct tally){ (long)active_ptables, (long)kmem_cache_inuse(htable_cache) - (long)htable_reserve_cnt });
}

/** How many were given up since. */
static inline void
want_given_up(const struct tally *before, long frames, long objects)
{
	struct tally now = tally_now();

	check_true(before->frames - now.frames == frames, "%ld frames of page tables were given back, want %ld",
	    before->frames - now.frames, frames);
	check_true(before->objects - now.objects == objects, "%ld htable objects were given back, want %ld",
	    before->objects - now.objects, objects);
}

/** Length of the hat's stack of ready tables. */
static inline uint_t
ncached(const hat_t *hat)
{
	uint_t n = 0;

	for (htable_t *ht = hat->hat_ht_cached; ht != NULL && n < 1000; ht = ht->ht_next)
		n++;
	return (n);
}

#endif
