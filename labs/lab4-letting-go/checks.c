/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 4: holds given back, and what goes with the last one. A student's copy is only what they act on.
 *
 * The parts that releasing is made of have their checks in checks_parts.c.
 */
#define CHECK_PART 1 /* behind checks_parts.c */

#include <check/outside.h>
#include <check/trial.h>
#include <labs/lab4-letting-go/checks.h>
#include <sys/string.h>
#include <sys/thread.h>

static struct path path, other;

static void
release(hat_t *hat, htable_t *ht)
{
	copy_on(hat);
	htable_release(ht);
	copy_off();
}

/* The table of one level: still found, and linked. */
static void
want_there(hat_t *hat, const struct path *p, level_t l)
{
	htable_t *found = htable_lookup(hat, p->va, l);

	check_true(
	    found == p->ht[l], "the table of level %d over 0x%lx can no longer be found: it should have stayed", l, (ulong_t)p->va);
	htable_release(found);
	if (l < TOP_LEVEL(hat))
		check_true(path_slot(p, l) == MAKEPTP(p->ht[l]->ht_pfn, l),
		    "the slot for 0x%lx in the table of level %d is 0x%llx, want the link 0x%llx to the table that stays",
		    (ulong_t)p->va, l + 1, (unsigned long long)path_slot(p, l), (unsigned long long)MAKEPTP(p->ht[l]->ht_pfn, l));
}

static void
want_gone(hat_t *hat, const struct path *p, level_t l)
{
	htable_t *found = htable_lookup(hat, p->va, l);

	check_true(found == NULL, "the table of level %d over 0x%lx can still be found after its last hold was given back", l,
	    (ulong_t)p->va);
	check_true(path_slot(p, l) == 0,
	    "the slot for 0x%lx in the table of level %d still holds 0x%llx after the table below it has gone", (ulong_t)p->va,
	    l + 1, (unsigned long long)path_slot(p, l));
}

/* Its counts, as differences from what was noted. */
static void
want_counts(const struct path *p, level_t l, int32_t busy, int32_t valid)
{
	check_true(p->ht[l]->ht_busy == p->busy[l] + busy, "ht_busy of the table of level %d over 0x%lx is %d, want %d", l,
	    (ulong_t)p->va, p->ht[l]->ht_busy, p->busy[l] + busy);
	check_true(p->ht[l]->ht_valid_cnt == p->valid[l] + valid, "ht_valid_cnt of the table of level %d over 0x%lx is %d, want %d",
	    l, (ulong_t)p->va, p->ht[l]->ht_valid_cnt, p->valid[l] + valid);
}

/* Another address below the same table of level 1. */
static uintptr_t
beside(uintptr_t va)
{
	return (va ^ LEVEL_SIZE(1));
}

/* The lowest level whose tables stay although they are empty. */
static level_t
kept_level(const hat_t *hat)
{
	return (MIN(mmu.max_page_level, TOP_LEVEL(hat)));
}

CHECK(release_null, "release-null", "htable_release", 4, 1, NULL, 0) { release(hat, NULL); }

CHECK(release_hold, "release-hold", "htable_release", 4, 2, NULL, 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);

	(void)htable_lookup(hat, path.va, 0);
	path_note(&path);
	release(hat, ht);
	want_there(hat, &path, 0);
	want_counts(&path, 0, -1, 0);
	want_counts(&path, 1, 0, 0);
	htable_release(ht);
}

CHECK(release_live, "release-live", "htable_release", 4, 2, "release-hold", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);
	page_t *pp = check_page();

	(void)leaf_put(ht, path.va, pp);
	path_note(&path);
	release(hat, ht);
	want_there(hat, &path, 0);
	want_counts(&path, 0, -1, 0);
	want_counts(&path, 1, 0, 0);
	ht = htable_lookup(hat, path.va, 0);
	leaf_take(ht, path.va);
	htable_release(ht);
	page_free(pp, 0);
}

/* One of two tables below the same parent. */
CHECK(release_last, "release-last", "htable_release", 4, 3, "release-null release-hold", 0)
{
	htable_t *ht, *stays;

	if (kept_level(hat) == 0) /* no large pages (pse=0): every empty table stays */
		return;
	ht = path_build(hat, &path, check_va(0), 0);
	stays = path_build(hat, &other, beside(path.va), 0);
	path_note(&path);
	release(hat, ht);
	want_gone(hat, &path, 0);
	want_there(hat, &other, 0);
	want_there(hat, &path, 1);
	want_counts(&path, 1, -1, -1);
	htable_release(stays);
}

/* The only path there is: all goes that is not worth keeping. */
CHECK(release_climb, "release-climb", "htable_release", 4, 3, "release-last", 0)
{
	level_t kept = kept_level(hat);
	htable_t *ht;

	if (kept == 0) /* no large pages (pse=0): every empty table stays */
		return;
	ht = path_build(hat, &path, check_va(0), 0);
	release(hat, ht);
	for (level_t l = 0; l < kept; l++)
		want_gone(hat, &path, l);
	for (level_t l = kept; l <= TOP_LEVEL(hat); l++) {
		want_there(hat, &path, l);
		want_counts(&path, l, l == kept ? -1 : 0, l == kept ? -1 : 0);
	}
}

/* Somebody holds the parent: it stays, empty. */
CHECK(release_parent, "release-held-parent", "htable_release", 4, 2, "release-last", 0)
{
	htable_t *ht, *parent;

	if (kept_level(hat) == 0) /* no large pages (pse=0): every empty table stays */
		return;
	ht = path_build(hat, &path, check_va(0), 0);
	parent = htable_lookup(hat, path.va, 1);
	path_note(&path);
	release(hat, ht);
	want_gone(hat, &path, 0);
	want_there(hat, &path, 1);
	want_counts(&path, 1, -1, -1);
	htable_release(parent);
}

CHECK(release_kept, "release-kept", "htable_release", 4, 2, "release-hold", 0)
{
	level_t level = MIN(mmu.max_page_level, TOP_LEVEL(hat) - 1);
	htable_t *ht = path_build(hat, &path, check_va(level), level);

	release(hat, ht);
	if (level < mmu.max_page_level)
		return; /* without PAE: there is no such table below the top */
	want_there(hat, &path, level);
	want_counts(&path, level, -1, 0);
	want_counts(&path, level + 1, 0, 0);
}

/* Whoever destroys an address space sweeps it once: nothing is unlinked before. */
CHECK(release_freeing, "release-freeing", "htable_release", 4, 2, "release-hold", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);

	atomic_or_32(&hat->hat_flags, HAT_FREEING);
	release(hat, ht);
	want_there(hat, &path, 0);
	want_counts(&path, 0, -1, 0);
}

/*
 * Shows another table's frame, at a level where a table of its own would stay. Its source counts an entry more than it has, or it
 * could not be shared.
 */
CHECK(release_shared, "release-shared", "htable_release", 4, 3, "release-last", 0)
{
	level_t level = MIN(mmu.max_page_level, TOP_LEVEL(hat) - 1);
	htable_t *source = path_build(hat, &other, check_va(level + 1), level), *ht;
	ulong_t unshared = hatstat.hs_htable_unshared;
	struct tally before;
	uintptr_t va;

	do
		va = check_va(level + 1);
	while (va == other.va);
	source->ht_valid_cnt++;
	ht = htable_create(hat, va, level, source);
	path = (struct path){ .va = va, .bottom = level };
	path.ht[level] = ht;
	path_note(&path);
	path_note(&other);
	before = tally_now();
	release(hat, ht);
	want_gone(hat, &path, level);
	check_true(source->ht_busy == other.busy[level] - 1,
	    "ht_busy of the table whose frame was shared is %d, want %d: its sharer has gone", source->ht_busy,
	    other.busy[level] - 1);
	want_given_up(&before, 0, 1);
	check_true(hatstat.hs_htable_unshared == unshared + 1, "hs_htable_unshared has grown by %lu, want 1",
	    hatstat.hs_htable_unshared - unshared);
	source->ht_valid_cnt--;
	htable_release(source);
}

/* What happened at each call that matters, in order. */
static struct {
	uint_t n;
	char text[128]; /* the first thing wrong, or empty */
	uint_t unlinked, removed, freed;
} order;

static void
order_wrong(const char *text)
{
	if (order.text[0] == '\0')
		strlcpy(order.text, text, sizeof(order.text));
}

static void
order_see(const char *func, const uintptr_t *args)
{
	int nlocks = curthread->t_nlocks;

	if (strcmp(func, "unlink_ptp") == 0) {
		if (nlocks != 1 || !MUTEX_HELD(lock_of((htable_t *)args[1])))
			order_wrong("unlink_ptp() was called with other locks held than the one of the table that goes");
		order.unlinked++;
	} else if (strcmp(func, "htable_chain_remove") == 0) {
		if (nlocks != 1 || !MUTEX_HELD(lock_of((htable_t *)args[0])))
			order_wrong("htable_chain_remove() was called with other locks held than the one of the table that goes");
		if (order.unlinked != order.removed + 1)
			order_wrong(
			    "a table left its chain before its parent's slot was cleared: a new one can be linked there meanwhile");
		order.removed++;
	} else if (strcmp(func, "htable_free") == 0) {
		if (nlocks != 0)
			order_wrong("htable_free() was called with a lock held: it may block");
		if (order.removed != order.freed + 1)
			order_wrong("a table was freed while it could still be found");
		order.freed++;
	}
}

CHECK(release_locks, "release-locks", "htable_release", 4, 3, "release-climb", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);

	memset(&order, 0, sizeof(order));
	copy_on(hat);
	trial_on_call(order_see);
	htable_release(ht);
	copy_off();
	check_true(order.text[0] == '\0', "%s", order.text);
	if (!trial_records("unlink_ptp") || !trial_records("htable_chain_remove") || !trial_records("htable_free"))
		return;
	check_eq(order.unlinked, kept_level(hat), "calls of unlink_ptp()");
	check_eq(order.removed, kept_level(hat), "calls of htable_chain_remove()");
	check_eq(order.freed, kept_level(hat), "calls of htable_free()");
}

/* What the hardware finds: the path to what is still mapped, and tables that are kept. */
CHECK(release_outside, "release-outside", "htable_release", 4, 3, "release-live release-climb", 0)
{
	page_t *pp = check_page();
	htable_t *goes = path_build(hat, &path, check_va(0), 0), *stays;
	uintptr_t va;

	do
		va = check_va(0);
	while ((va ^ path.va) < LEVEL_SIZE(1));
	stays = path_build(hat, &other, va, 0);
	expect_leaf(va, 0, leaf_put(stays, va, pp));
	if (mmu.max_page_level < TOP_LEVEL(hat))
		expect_table(path.va, mmu.max_page_level);
	copy_on(hat);
	htable_release(goes);
	htable_release(stays);
	copy_off();
	check_outside(hat);
	stays = htable_lookup(hat, va, 0);
	leaf_take(stays, va);
	htable_release(stays);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ everything at once */

/* Tables on the hat's stack: made by the reference, given up to it. */
static void
fill_cache(hat_t *hat, uint_t n)
{
	htable_t *ht[4];

	for (uint_t i = 0; i < n; i++)
		ht[i] = htable_alloc(hat, i * LEVEL_SIZE(1), 0, NULL);
	for (uint_t i = 0; i < n; i++)
		htable_free(ht[i]);
	check_eq(ncached(hat), n, "ready tables of the scratch address space");
}

CHECK(purge_cached, "purge-cached", "htable_purge_hat", 4, 2, NULL, 0)
{
	uint_t n = 2 + (uint_t)check_random(3);
	htable_t *ht = path_build(hat, &path, check_va(0), 0);
	struct tally before;

	fill_cache(hat, n);
	before = tally_now();
	copy_on(hat);
	htable_purge_hat(hat);
	copy_off();
	check_eq(htable_dont_cache, 0, "htable_dont_cache afterwards");
	check_true(ncached(hat) == 0, "%u of %u ready tables are still on the stack", ncached(hat), n);
	want_there(hat, &path, 0);
	want_given_up(&before, n, n);
	htable_release(ht);
}

/* A bare address space with a tree, some of it held and some of it mapped. @return how many tables it has */
static uint_t
plant(hat_t *hat, page_t *pp)
{
	htable_t *ht;
	uint_t n = 0;

	hat->hat_htable = htable_create(hat, 0, TOP_LEVEL(hat), NULL);
	for (uint_t i = 0; i < 6; i++) {
		ht = htable_create(hat, check_va(0), 0, NULL);
		put_raw(ht, 0, check_leaf(pp, 0));
		ht->ht_valid_cnt = 1;
		if (i % 2 == 0)
			htable_release(ht);
	}
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			n++;
	return (n);
}

/* Counted before and after, none kept for other address spaces meanwhile. */
static void
purge_all(hat_t *hat, uint_t cached)
{
	page_t *pp = check_page();
	uint_t n, left = 0;
	struct tally before;

	n = plant(hat, pp) + cached;
	fill_cache(hat, cached);
	atomic_inc_32(&htable_dont_cache);
	before = tally_now();
	hat->hat_flags |= HAT_FREEING;
	copy_on(hat);
	htable_purge_hat(hat);
	copy_off();
	check_eq(htable_dont_cache, 1, "htable_dont_cache, which the check had raised to 1");
	atomic_dec_32(&htable_dont_cache);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		left += hat->hat_chains[k].hc_count;
	check_true(left == 0, "hc_count says that %u of %u tables are still linked", left, n);
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		check_true(htable_chain_at(hat, b) == NULL, "chain %u still has a table", b);
	check_true(ncached(hat) == 0, "%u ready tables are still on the stack of an address space that goes", ncached(hat));
	want_given_up(&before, n, n);
	page_free(pp, 0);
}

CHECK(purge_freeing, "purge-freeing", "htable_purge_hat", 4, 3, NULL, CK_BARE) { purge_all(hat, 0); }

CHECK(purge_both, "purge-both", "htable_purge_hat", 4, 1, "purge-cached purge-freeing", CK_BARE) { purge_all(hat, 3); }
