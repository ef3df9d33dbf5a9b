/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 3: htable_create(). Reference code: a student's copy is only what they act on.
 */
#include <check/check.h>
#include <check/outside.h>
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <vm/page.h>

/* Holds of the top table before anything is created: its owner's, and one a child that the kernel's part may need. */
static int32_t top_holds;

static void
start(const hat_t *hat)
{
	top_holds = hat->hat_htable->ht_busy;
}

static int32_t
want_busy(const hat_t *hat, const htable_t *ht, int32_t children)
{
	return (children + (ht == hat->hat_htable ? top_holds : 0));
}

/* One table of a path, and the link to it. `holds` are those that the check itself owns. */
static void
look_at(hat_t *hat, htable_t *ht, uintptr_t va, level_t level, int32_t children, int32_t holds)
{
	htable_t *up = ht->ht_parent;
	int32_t busy = want_busy(hat, ht, children) + holds;
	x86pte_t have, want;

	check_eq(ht->ht_level, level, "level of a table");
	check_eq(ht->ht_hat == hat, true, "a table's owner is the address space");
	check_eq(ht->ht_vaddr, htable_base(hat, va, level), "base of a table");
	check_true(ht->ht_busy == busy, "ht_busy of the table of level %d over 0x%lx is %d, want %d: %d children, %d callers",
	    level, (ulong_t)ht->ht_vaddr, ht->ht_busy, busy, busy - holds, holds);
	check_eq(ht->ht_lock_cnt, 0, "ht_lock_cnt");
	if (level == TOP_LEVEL(hat)) {
		check_eq((uintptr_t)up, 0, "parent of the top table");
		return;
	}
	check_true(up != NULL, "the table of level %d has no parent", level);
	have = raw_entry(up, htable_va2entry(va, up));
	want = MAKEPTP(ht->ht_pfn, level);
	check_true(have == want, "slot %u of the table of level %d is 0x%llx, want 0x%llx: a link to frame 0x%lx",
	    htable_va2entry(va, up), up->ht_level, (unsigned long long)have, (unsigned long long)want, ht->ht_pfn);
}

/* Every table from level up, found by walking the parents and by the hash. */
static void
look_at_path(hat_t *hat, htable_t *ht, uintptr_t va, int32_t holds)
{
	int32_t children = 0;

	for (level_t l = ht->ht_level; ht != NULL; l++, ht = ht->ht_parent) {
		htable_t *found = htable_lookup(hat, va, l);

		check_true(found != NULL, "htable_lookup() finds no table of level %d over 0x%lx", l, (ulong_t)va);
		check_true(found == ht, "htable_lookup() finds table %p of level %d over 0x%lx, but its child's parent is %p",
		    (void *)found, l, (ulong_t)va, (void *)ht);
		htable_release(found);
		look_at(hat, ht, va, l, children, holds);
		if (children > 0 && l < TOP_LEVEL(hat))
			check_eq(ht->ht_valid_cnt, children, "ht_valid_cnt");
		children = 1;
		holds = 0;
	}
}

CHECK(create_path, "create-path", "htable_create", 3, 5, NULL, 0)
{
	uintptr_t va = check_va(0);
	htable_t *ht;

	start(hat);
	copy_on(hat);
	ht = htable_create(hat, va, 0, NULL);
	copy_off();
	check_true(ht != NULL, "no table: htable_create() never fails");
	look_at_path(hat, ht, va, 1);
	htable_release(ht);
}

CHECK(create_again, "create-again", "htable_create", 3, 3, "create-path", 0)
{
	uintptr_t va = check_va(1);
	htable_t *first, *second;

	start(hat);
	first = htable_create(hat, va, 0, NULL);
	copy_on(hat);
	second = htable_create(hat, va + PAGESIZE, 0, NULL);
	copy_off();
	check_true(
	    second == first, "the table over 0x%lx exists: %p, but %p was returned", (ulong_t)va, (void *)first, (void *)second);
	look_at_path(hat, first, va, 2);
	htable_release(second);
	htable_release(first);
}

CHECK(create_sibling, "create-sibling", "htable_create", 3, 3, "create-path", 0)
{
	uintptr_t va = check_va(1), beside = va ^ LEVEL_SIZE(1); /* under the same parent */
	htable_t *first, *second;

	start(hat);
	first = htable_create(hat, va, 0, NULL);
	copy_on(hat);
	second = htable_create(hat, beside, 0, NULL);
	copy_off();
	check_true(second != first, "the same table for 0x%lx and for 0x%lx", (ulong_t)va, (ulong_t)beside);
	check_eq((uintptr_t)second->ht_parent, (uintptr_t)first->ht_parent, "the parent of both");
	check_eq(first->ht_parent->ht_valid_cnt, 2, "ht_valid_cnt of the parent of both");
	look_at(hat, first->ht_parent, va, 1, 2, 0);
	for (htable_t *ht = first->ht_parent->ht_parent; ht != NULL; ht = ht->ht_parent)
		look_at(hat, ht, va, ht->ht_level, 1, 0);
	look_at(hat, second, beside, 0, 0, 1);
	htable_release(second);
	htable_release(first);
}

/* As the hardware sees it: these paths, and nothing besides. */
CHECK(create_outside, "create-outside", "htable_create", 3, 3, "create-again create-sibling", 0)
{
	uintptr_t va[3] = { check_va(0), check_va(0), check_va(1) };
	htable_t *ht[3];

	expect_table(va[0], 0);
	expect_table(va[1], 0);
	expect_table(va[2], 1);
	copy_on(hat);
	ht[0] = htable_create(hat, va[0], 0, NULL);
	ht[1] = htable_create(hat, va[1], 0, NULL);
	ht[2] = htable_create(hat, va[2], 1, NULL);
	copy_off();
	check_outside(hat);
	for (uint_t i = 0; i < NELEM(ht); i++)
		htable_release(ht[i]);
}

/* Twice each, so that building and finding both happen. */
CHECK(create_anywhere, "create-anywhere", "htable_create", 3, 4, "create-path", 0)
{
	for (int i = 0; i < 8; i++) {
		uintptr_t va = check_va(0);
		level_t level = (level_t)check_random(TOP_LEVEL(hat));
		htable_t *ht, *again;

		copy_on(hat);
		ht = htable_create(hat, va, level, NULL);
		again = htable_create(hat, va, level, NULL);
		copy_off();
		check_true(ht->ht_level == level && ht->ht_vaddr == htable_base(hat, va, level),
		    "for 0x%lx at level %d: a table of level %d at 0x%lx", (ulong_t)va, level, ht->ht_level, (ulong_t)ht->ht_vaddr);
		check_true(again == ht, "the table over 0x%lx at level %d exists: %p, but %p was returned", (ulong_t)va, level,
		    (void *)ht, (void *)again);
		htable_release(again);
		htable_release(ht);
	}
}

static void
create_too_high(void *hat)
{
	(void)htable_create(hat, 0, TOP_LEVEL((hat_t *)hat) + 1, NULL);
}

static void
create_too_low(void *hat)
{
	(void)htable_create(hat, 0, -1, NULL);
}

CHECK(create_level, "create-level", "htable_create", 3, 1, NULL, 0)
{
	char text[160];
	bool high, low;

	copy_on(hat);
	high = check_panics(create_too_high, hat, text, sizeof(text));
	low = check_panics(create_too_low, hat, text, sizeof(text));
	copy_off();
	check_true(high, "no panic for level %d, one above the top", TOP_LEVEL(hat) + 1);
	check_true(low, "no panic for level -1");
	check_note("the panic: %s", text);
}

static int locks; /* held at a call of htable_alloc(): the most */

static void
count_locks(const char *func, const uintptr_t *args)
{
	(void)args;
	if (strcmp(func, "htable_alloc") == 0)
		locks = MAX(locks, curthread->t_nlocks);
}

/* Making a table may sleep, or steal one from somebody: whoever keeps a table's lock meanwhile stops everybody. */
CHECK(create_unlocked, "create-unlocked", "htable_create", 3, 2, "create-path", 0)
{
	htable_t *ht;

	locks = 0;
	copy_on(hat);
	trial_on_call(count_locks);
	ht = htable_create(hat, check_va(0), 0, NULL);
	copy_off();
	check_true(locks == 0, "%d mutexes were held when htable_alloc() was called", locks);
	htable_release(ht);
}

/* The source lies in the same address space here, so that whatever goes wrong stays in it; nothing is there over va but the top. */
CHECK(create_shared, "create-shared", "htable_create", 3, 2, "create-again", 0)
{
	uintptr_t va = check_va(0), elsewhere = check_va(0);
	htable_t *source, *ht;
	ulong_t shared;

	while ((va ^ elsewhere) >> LEVEL_SHIFT(TOP_LEVEL(hat)) == 0)
		elsewhere = check_va(0);
	source = htable_create(hat, elsewhere, 0, NULL);
	source->ht_valid_cnt = 1; /* nobody shares an empty table */
	shared = hatstat.hs_htable_shared;
	copy_on(hat);
	ht = htable_create(hat, va, 0, source);
	copy_off();
	hatstat.hs_htable_shared = shared; /* tables of an address space that is given up are not counted */
	check_eq(ht->ht_flags, HTABLE_SHARED_PFN, "ht_flags of a shared table");
	check_eq((uintptr_t)ht->ht_shares, (uintptr_t)source, "ht_shares");
	check_eq(source->ht_busy, 2, "ht_busy of the source: this check's hold and the shared table's");
	check_eq(ht->ht_parent->ht_flags & HTABLE_SHARED_PFN, 0,
	    "ht_flags of the table above: only the one at the level asked for is shared");
	look_at(hat, ht, va, 0, 0, 1);
	source->ht_valid_cnt = 0;
	hatstat.hs_htable_shared++;
	htable_release(ht);
	check_eq(source->ht_busy, 1, "ht_busy of the source after the shared table has gone");
	htable_release(source);
}

/* ------------------------------------------------------------------ too late */

/** Somebody else, who has a table ready and puts it there while the unit under test waits for memory. */
static struct {
	htable_t *parent, *ready; /**< held by the check */
	volatile bool published, over;
	ulong_t steals;
	kthread_t *check; /**< the thread that runs the check: it may be thrown out of it */
} other;

/* By hand, so that no unit is needed for it. */
static void
publish(void)
{
	htable_t *ht = other.ready, **head;
	hat_t *hat = ht->ht_hat;
	uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level), entry = htable_va2entry(ht->ht_vaddr, other.parent);

	mutex_enter(htable_lock(hat, h));
	atomic_inc_int(&other.parent->ht_valid_cnt);
	htable_note(other.parent, entry);
	put_raw(other.parent, entry, MAKEPTP(ht->ht_pfn, ht->ht_level));
	ht->ht_parent = other.parent;
	head = htable_bucket(hat, h);
	ht->ht_next = *head;
	if (*head != NULL)
		(*head)->ht_prev = ht;
	*head = ht;
	hat->hat_chains[h % HAT_NLOCKS].hc_count++;
	mutex_exit(htable_lock(hat, h));
}

static void
frames_again(void)
{
	page_fail_after = 0;
}

static void
somebody_else(void *arg)
{
	(void)arg;
	while (hatstat.hs_steals == other.steals && !other.over && other.check->t_check != NULL)
		thread_yield();
	if (!other.over && other.check->t_check != NULL) {
		publish();
		other.published = true;
	}
	frames_again();
}

/* Two make the same table, and this one finds that it comes second when it has its table already. */
CHECK(create_race, "create-race", "htable_create", 3, 5, "create-again create-sibling create-unlocked", 0)
{
	uintptr_t va = check_va(1), base = htable_base(hat, va, 0);
	int32_t busy;
	uint32_t frames;
	htable_t *ht;
	kthread_t *t;

	other.parent = htable_create(hat, va, 1, NULL);
	other.ready = htable_alloc(hat, base, 0, NULL);
	htable_purge_hat(hat);
	htable_keep_none(NULL); /* making another one needs a frame, and there will be none */
	busy = other.parent->ht_busy;
	frames = active_ptables;
	other.published = other.over = false;
	other.steals = hatstat.hs_steals;
	other.check = curthread;
	t = thread_create("somebody else", somebody_else, NULL);
	check_finally(frames_again);
	page_fail_after = 1;
	copy_on(hat);
	ht = htable_create(hat, va, 0, NULL);
	copy_off();
	page_fail_after = 0;
	other.over = true;
	thread_join(t);
	htable_purge_hat(hat);
	kmem_reap_settle();
	check_true(other.published, "it did not ask for a table");
	check_true(ht == other.ready, "somebody else had built table %p over 0x%lx meanwhile, but %p was returned",
	    (void *)other.ready, (ulong_t)base, (void *)ht);
	check_eq(ht->ht_busy, 2, "ht_busy of the table that was there already: its builder's hold and ours");
	check_eq(other.parent->ht_busy, busy, "ht_busy of the parent: its one child has its hold from the builder");
	check_eq(active_ptables, frames, "active_ptables: the table that came too late was freed");
	htable_release(ht);
	htable_release(ht);
}
