/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 2, second half: finding and holding tables, and the entries in them.
 */
#define CHECK_PART 1 /* behind checks.c */

#include <check/check.h>
#include <check/scratch.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>

/* ------------------------------------------------------------------ with somebody's hash */

/**
 * Put every table on the chain that the hash in use wants. A hash is for ever, but there are two here: the student's, between
 * begin() and end(), when all units of the lab are tried together, and ours.
 */
static void
rehash(hat_t *hat)
{
	htable_t *all = NULL, *ht;

	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		struct hat_chains *hc = &hat->hat_chains[k];

		for (uint_t i = 0; i <= hc->hc_mask; i++)
			while ((ht = hc->hc_head[i]) != NULL) {
				hc->hc_head[i] = ht->ht_next;
				ht->ht_prev = NULL;
				ht->ht_next = all;
				all = ht;
			}
		hc->hc_count = 0;
	}
	while ((ht = all) != NULL) {
		uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level);

		all = ht->ht_next;
		mutex_enter(htable_lock(hat, h));
		htable_chain_insert(ht, h);
		mutex_exit(htable_lock(hat, h));
	}
}

static void
begin(hat_t *hat)
{
	copy_on(hat);
	rehash(hat);
}

static void
end(hat_t *hat)
{
	copy_off();
	rehash(hat);
}

/* ------------------------------------------------------------------ tables that are made up */

#define NMADEUP (2 * MAX_NUM_LEVEL)
static htable_t madeup[NMADEUP];
static uint_t nmadeup;

/* Held 3, 4, ... times, so that it shows whose hold was taken. */
static void
make_up(hat_t *hat, uintptr_t base, level_t level)
{
	htable_t *ht = &madeup[nmadeup];
	uint_t h = htable_hash(hat, base, level);

	*ht = (htable_t){
		.ht_hat = hat, .ht_vaddr = base, .ht_level = level, .ht_busy = 3 + (int32_t)nmadeup++, .ht_pfn = PFN_INVALID
	};
	if (level == TOP_LEVEL(hat))
		hat->hat_htable = ht;
	mutex_enter(htable_lock(hat, h));
	htable_chain_insert(ht, h);
	mutex_exit(htable_lock(hat, h));
}

static void
forget(hat_t *hat)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		memset(hat->hat_first_chains[k], 0, sizeof(hat->hat_first_chains[k]));
		hat->hat_chains[k].hc_count = 0;
	}
	hat->hat_htable = NULL;
	nmadeup = 0;
}

/* The path over va, but for one level, and beside it one of a neighbour, at each level below the top. */
static void
make_up_path(hat_t *hat, uintptr_t va, level_t but)
{
	nmadeup = 0;
	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		uintptr_t base = htable_base(hat, va, l);

		if (l != but)
			make_up(hat, base, l);
		if (l < TOP_LEVEL(hat))
			make_up(hat, base ^ LEVEL_SIZE(l + 1), l);
	}
}

static void
want_holds(const htable_t *more, const char *what)
{
	for (uint_t i = 0; i < nmadeup; i++) {
		const htable_t *ht = &madeup[i];
		int32_t want = 3 + (int32_t)i + (ht == more);

		check_true(ht->ht_busy == want, "%s: the table of level %d at 0x%lx has %d holds, want %d", what, ht->ht_level,
		    (ulong_t)ht->ht_vaddr, ht->ht_busy, want);
	}
}

static const char *
which(const htable_t *ht)
{
	static char text[64];

	if (ht == NULL)
		return ("none");
	snprintf(text, sizeof(text), "that of level %d at 0x%lx", ht->ht_level, (ulong_t)ht->ht_vaddr);
	return (text);
}

static htable_t *
made_up(const hat_t *hat, uintptr_t va, level_t level)
{
	for (uint_t i = 0; i < nmadeup; i++)
		if (madeup[i].ht_level == level && madeup[i].ht_vaddr == htable_base(hat, va, level))
			return (&madeup[i]);
	return (NULL);
}

static bool
contains(const char *text, const char *word)
{
	for (; *text != '\0'; text++)
		if (strncmp(text, word, strlen(word)) == 0)
			return (true);
	return (false);
}

struct call {
	hat_t *hat;
	htable_t *ht;
	uintptr_t va;
	level_t level;
};

/* Who wants a mutex that this thread holds already is stopped, and the message names it: so a lock is seen being taken. */
static bool
takes_lock(void (*func)(void *), struct call *c, uintptr_t base)
{
	kmutex_t *lock = htable_lock(c->hat, htable_hash(c->hat, base, c->level));
	char text[160], name[48];
	bool stopped;

	mutex_enter(lock);
	stopped = check_panics(func, c, text, sizeof(text));
	if (!stopped)
		mutex_exit(lock);
	snprintf(name, sizeof(name), "holds mutex 0x%lx", (ulong_t)(uintptr_t)lock);
	return (stopped && contains(text, name));
}

/* ------------------------------------------------------------------ htable_lookup */

static void
want_lookup(hat_t *hat, uintptr_t va, level_t level)
{
	htable_t *want = made_up(hat, va, level), *found = htable_lookup(hat, va, level);

	check_true(found == want, "htable_lookup(0x%lx, level %d) finds %s", (ulong_t)va, level, which(found));
	want_holds(want, "after htable_lookup()");
	if (want != NULL)
		want->ht_busy--;
}

CHECK(lookup_levels, "lookup-levels", "htable_lookup", 2, 4, NULL, CK_BARE)
{
	uintptr_t va = check_va(0);

	copy_on(hat);
	make_up_path(hat, va, -1);
	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		want_lookup(hat, htable_base(hat, va, l), l);
		want_lookup(hat, va + 0x123, l);
		if (l < TOP_LEVEL(hat))
			want_lookup(hat, va ^ LEVEL_SIZE(l + 1), l);
	}
	forget(hat);
	copy_off();
}

/* A table that is not there, with all the others there: no hold is taken, and no lock kept. */
CHECK(lookup_absent, "lookup-absent", "htable_lookup", 2, 2, "lookup-levels", CK_BARE)
{
	uintptr_t va = check_va(0);

	for (level_t l = 0; l < TOP_LEVEL(hat); l++) {
		copy_on(hat);
		make_up_path(hat, va, l);
		want_lookup(hat, va, l);
		forget(hat);
		copy_off();
	}
}

static void
want_top(hat_t *hat, uintptr_t va)
{
	htable_t *found = htable_lookup(hat, va, TOP_LEVEL(hat));

	check_true(found == hat->hat_htable, "0x%lx: the top table (level %d) maps it, found %s", (ulong_t)va, TOP_LEVEL(hat),
	    which(found));
	found->ht_busy--;
}

/* The one top table is for all addresses; but an address space of four gigabytes ends there. */
CHECK(lookup_top, "lookup-top", "htable_lookup", 2, 2, "lookup-levels", CK_BARE)
{
	copy_on(hat);
	make_up_path(hat, 0, -1);
	for (int i = 0; i < 8; i++)
		want_top(hat, check_va(0));
	want_top(hat, UINTPTR_MAX);
	forget(hat);
	if (mmu.max_level >= VLP_LEVEL) {
		hat->hat_flags |= HAT_VLP;
		hat->hat_top = VLP_LEVEL;
		make_up_path(hat, 0, -1);
		hat->hat_htable->ht_flags = HTABLE_VLP;
		want_top(hat, 0);
		want_top(hat, UINT32_MAX);
	}
#ifdef __LP64__
	for (int i = 0; i < 8; i++) {
		uintptr_t va = ((uintptr_t)1 << (32 + i)) + (uintptr_t)check_random(UINT32_MAX);

		check_true(htable_lookup(hat, va, VLP_LEVEL) == NULL,
		    "0x%lx is above 4 GiB, but the address space has a table for it", (ulong_t)va);
	}
#endif
	forget(hat);
	copy_off();
}

static void
look_up(void *arg)
{
	struct call *c = arg;

	(void)htable_lookup(c->hat, c->va, c->level);
}

CHECK(lookup_lock, "lookup-lock", "htable_lookup", 2, 2, "lookup-levels", CK_BARE)
{
	uintptr_t va = check_va(0) + 0x123;

	copy_on(hat);
	make_up_path(hat, va, -1);
	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		struct call c = { .hat = hat, .va = va, .level = l };

		check_true(takes_lock(look_up, &c, htable_base(hat, va, l)),
		    "htable_lookup(0x%lx, level %d) does not wait for the lock of the table that it looks for", (ulong_t)va, l);
	}
	forget(hat);
	copy_off();
}

/** A stealer that has cut a table off, and takes its time. */
static struct {
	htable_t *ht;
	volatile bool go;
	bool puts_back;
} stealer;

static void
steal(void *arg)
{
	htable_t *ht = stealer.ht;
	kmutex_t *lock = htable_lock(ht->ht_hat, htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level));

	(void)arg;
	while (!stealer.go)
		thread_yield();
	for (int i = 0; i < 20; i++)
		thread_yield();
	if (!stealer.puts_back) {
		htable_cut_done(ht);
		return;
	}
	mutex_enter(lock);
	htable_uncut(ht);
	mutex_exit(lock);
}

/* Look a table up while a stealer has it. The check's hold on it is the stealer's then. */
static htable_t *
look_up_cut(hat_t *hat, htable_t *ht, uintptr_t va, bool puts_back)
{
	htable_t *found;
	kthread_t *t;

	stealer.ht = ht;
	stealer.go = false;
	stealer.puts_back = puts_back;
	check_true(htable_try_cut(ht), "the table at 0x%lx cannot be cut off", (ulong_t)va);
	t = thread_create("stealer", steal, NULL);
	stealer.go = true;
	found = htable_lookup(hat, va, 0);
	thread_join(t);
	return (found);
}

CHECK(lookup_cut, "lookup-cut", "htable_lookup", 2, 3, "lookup-levels lookup-absent", 0)
{
	uintptr_t va = check_va(0);
	htable_t *ht = htable_create(hat, va, 0, NULL), *found;

	begin(hat);
	found = look_up_cut(hat, ht, va, true);
	check_true(found == ht && ht->ht_busy == 2,
	    "a table that was cut off and put back, with one hold on it: found %s, %d holds", which(found), ht->ht_busy);
	htable_release(found);
	found = look_up_cut(hat, ht, va, false);
	check_true(found == NULL, "a table with HTABLE_CUT was given out while the stealer was emptying it");
	end(hat);
}

/* ------------------------------------------------------------------ htable_acquire */

CHECK(acquire_hold, "acquire-hold", "htable_acquire", 2, 3, NULL, CK_BARE)
{
	copy_on(hat);
	make_up_path(hat, check_va(0), -1);
	for (uint_t i = 0; i < nmadeup; i++) {
		htable_acquire(&madeup[i]);
		want_holds(&madeup[i], "after htable_acquire()");
		madeup[i].ht_busy--;
	}
	forget(hat);
	copy_off();
}

static void
acquire(void *arg)
{
	htable_acquire(((struct call *)arg)->ht);
}

CHECK(acquire_lock, "acquire-lock", "htable_acquire", 2, 2, "acquire-hold", CK_BARE)
{
	copy_on(hat);
	make_up_path(hat, check_va(0), -1);
	for (uint_t i = 0; i < nmadeup; i++) {
		struct call c = { .hat = hat, .ht = &madeup[i], .level = madeup[i].ht_level };

		check_true(takes_lock(acquire, &c, madeup[i].ht_vaddr),
		    "a hold on the table of level %d at 0x%lx is taken without waiting for its lock", c.level,
		    (ulong_t)madeup[i].ht_vaddr);
	}
	forget(hat);
	copy_off();
}

/* A table that has left its chain is about to be freed: nobody can have a hold on it any more. */
CHECK(acquire_gone, "acquire-gone", "htable_acquire", 2, 1, "acquire-hold", CK_BARE)
{
	uintptr_t va = check_va(0);
	htable_t gone = { .ht_hat = hat, .ht_vaddr = htable_base(hat, va, 0), .ht_pfn = PFN_INVALID };
	struct call c = { .hat = hat, .ht = &gone };
	char text[160];

	copy_on(hat);
	check_true(check_panics(acquire, &c, text, sizeof(text)), "a hold on a table that is not in its chain: no assertion");
	make_up(hat, gone.ht_vaddr, 0);
	check_true(check_panics(acquire, &c, text, sizeof(text)), "a hold on a table whose place another one has: no assertion");
	forget(hat);
	copy_off();
}

/* ------------------------------------------------------------------ htable_getpte, htable_getpage */

#define UNTOUCHED 0x7777u

/** A path down to one table of entries: level 0 is there over `va`, and not over `beside`, for which level 1 is the lowest. */
static struct {
	htable_t *low, *up;
	uintptr_t va, beside;
	uint_t entry, up_entry;
	page_t *pp;
} path;

static uint_t
index_at(uintptr_t va, level_t level)
{
	return ((uint_t)(va / LEVEL_SIZE(level)) % mmu.ptes_per_table);
}

static void
make_path(hat_t *hat)
{
	path.va = check_va(0);
	path.beside = path.va ^ LEVEL_SIZE(1);
	path.low = htable_create(hat, path.va, 0, NULL);
	path.up = path.low->ht_parent;
	path.entry = index_at(path.va, 0);
	path.up_entry = index_at(path.beside, 1);
	path.pp = check_page();
	put_raw(path.low, path.entry, check_leaf(path.pp, PT_WRITABLE));
}

/* Clears what was put there, gives the path back. */
static void
drop_path(void)
{
	put_raw(path.low, path.entry, 0);
	put_raw(path.up, path.up_entry, 0);
	htable_release(path.low);
	page_free(path.pp, 0);
}

/* A leaf of level 1. Nobody runs the address space. */
static x86pte_t
large_leaf(void)
{
	return (MAKEPTE(check_random(64) * mmu.ptes_per_table, 1) | PT_USER);
}

/* Holds of both tables: the check's own, the child's; and the one that was just taken. */
static void
want_path_holds(const htable_t *more, const char *what)
{
	int32_t low = 1 + (more == path.low), up = path.up->ht_permanent + 1 + (more == path.up);

	check_true(path.low->ht_busy == low, "%s: the level-0 table has %d holds, want %d", what, path.low->ht_busy, low);
	check_true(path.up->ht_busy == up, "%s: the level-1 table has %d holds, want %d", what, path.up->ht_busy, up);
}

static void
give_back(htable_t *ht)
{
	ht->ht_busy--;
}

static void
want_getpte(hat_t *hat, uintptr_t va, level_t level, htable_t *want, uint_t want_entry, x86pte_t want_pte)
{
	uint_t entry = UNTOUCHED;
	x86pte_t pte = UNTOUCHED;
	htable_t *found = htable_getpte(hat, va, &entry, &pte, level);

	check_true(found == want, "htable_getpte(0x%lx), up to level %d: found %s", (ulong_t)va, level, which(found));
	check_true(entry == want_entry, "htable_getpte(0x%lx), up to level %d: entry 0x%x, want 0x%x", (ulong_t)va, level, entry,
	    want_entry);
	check_eq(pte, want_pte, "htable_getpte(): value of the entry");
	want_path_holds(want, "after htable_getpte()");
	if (want != NULL)
		give_back(want);
}

CHECK(getpte_lowest, "getpte-lowest", "htable_getpte", 2, 4, NULL, 0)
{
	level_t most = mmu.max_page_level;
	x86pte_t large = large_leaf();

	make_path(hat);
	begin(hat);
	want_getpte(hat, path.va, 0, path.low, path.entry, check_leaf(path.pp, PT_WRITABLE));
	want_getpte(hat, path.va + 0x123, most, path.low, path.entry, check_leaf(path.pp, PT_WRITABLE));
	want_getpte(hat, path.beside, 1, path.up, path.up_entry, 0);
	put_raw(path.up, path.up_entry, large);
	want_getpte(hat, path.beside + 0x12345, most, path.up, path.up_entry, large);
	end(hat);
	drop_path();
}

/* An address over which there is nothing below the top. */
static uintptr_t
empty_va(hat_t *hat)
{
	for (;;) {
		uintptr_t va = check_va(0);
		htable_t *ht = htable_lookup(hat, va, mmu.max_page_level);

		if (ht == NULL)
			return (va);
		htable_release(ht);
	}
}

/* Nothing found: the caller's variables are as they were. */
CHECK(getpte_limit, "getpte-limit", "htable_getpte", 2, 3, "getpte-lowest", 0)
{
	uintptr_t far;

	make_path(hat);
	far = mmu.max_page_level < TOP_LEVEL(hat) ? empty_va(hat) : 0;
	begin(hat);
	want_getpte(hat, path.beside, 0, NULL, UNTOUCHED, UNTOUCHED);
	for (level_t l = 0; far != 0 && l <= mmu.max_page_level; l++)
		want_getpte(hat, far, l, NULL, UNTOUCHED, UNTOUCHED);
	end(hat);
	drop_path();
}

CHECK(getpte_null, "getpte-null", "htable_getpte", 2, 1, "getpte-lowest", 0)
{
	uint_t entry = UNTOUCHED;
	x86pte_t pte = UNTOUCHED;

	make_path(hat);
	begin(hat);
	check_true(htable_getpte(hat, path.va, NULL, &pte, 0) == path.low && pte == check_leaf(path.pp, PT_WRITABLE),
	    "without a place for the index: value 0x%llx", (unsigned long long)pte);
	check_true(htable_getpte(hat, path.va, &entry, NULL, 0) == path.low && entry == path.entry,
	    "without a place for the value: index %u, want %u", entry, path.entry);
	check_true(htable_getpte(hat, path.va, NULL, NULL, 0) == path.low, "without places for both: another table");
	path.low->ht_busy -= 3;
	end(hat);
	drop_path();
}

static void
want_getpage(hat_t *hat, uintptr_t va, htable_t *want, uint_t want_entry, const char *what)
{
	uint_t entry = UNTOUCHED;
	htable_t *found = htable_getpage(hat, va, &entry);

	check_true(found == want, "htable_getpage(0x%lx), %s: found %s", (ulong_t)va, what, which(found));
	check_true(entry == want_entry, "htable_getpage(0x%lx), %s: entry 0x%x, want 0x%x", (ulong_t)va, what, entry, want_entry);
	want_path_holds(want, what);
	if (want != NULL)
		give_back(want);
}

CHECK(getpage_sizes, "getpage-sizes", "htable_getpage", 2, 3, NULL, 0)
{
	make_path(hat);
	put_raw(path.up, path.up_entry, large_leaf());
	begin(hat);
	want_getpage(hat, path.va + 0x123, path.low, path.entry, "a page of 4 KiB");
	want_getpage(hat, path.beside + 0x12345, path.up, path.up_entry, "a large page");
	check_true(htable_getpage(hat, path.va, NULL) == path.low, "without a place for the index: another table");
	give_back(path.low);
	end(hat);
	drop_path();
}

/* What is no page keeps no hold: an empty entry, a link without a table to be found, and nothing at all. */
CHECK(getpage_none, "getpage-none", "htable_getpage", 2, 3, "getpage-sizes", 0)
{
	uintptr_t far;

	make_path(hat);
	far = mmu.max_page_level < TOP_LEVEL(hat) ? empty_va(hat) : 0;
	put_raw(path.low, path.entry, 0);
	begin(hat);
	want_getpage(hat, path.va, NULL, path.entry, "an empty entry");
	want_getpage(hat, path.beside, NULL, path.up_entry, "an empty entry of level 1");
	put_raw(path.up, path.up_entry, MAKEPTP(path.pp->p_pagenum, 0));
	want_getpage(hat, path.beside, NULL, path.up_entry, "a link");
	if (far != 0)
		want_getpage(hat, far, NULL, UNTOUCHED, "no table at all");
	end(hat);
	drop_path();
}
