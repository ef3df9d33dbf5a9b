/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Properties of spec 10.7 that no other check shows: two or more CPUs at the same tables and entries, and a sparse walk.
 *
 * docs/properties.md says which check is which property's. Each race also counts how often it came to what it is about: one that
 * never did has shown nothing, and fails.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <check/tests/race.h>
#include <hat/htable_impl.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define VA  ((uintptr_t)0x40000000)
#define RU  (PROT_READ | PROT_USER)
#define RWU (RU | PROT_WRITE)

static hat_t *space; /* what is raced for */
static page_t *page;

static page_t *
new_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page");
	return (pp);
}

static uint_t
cached(hat_t *hat)
{
	uint_t n = 0;

	mutex_enter(&hat->hat_mutex);
	for (htable_t *ht = hat->hat_ht_cached; ht != NULL; ht = ht->ht_next)
		n++;
	mutex_exit(&hat->hat_mutex);
	return (n);
}

/* ------------------------------------------------------------------ D2: created by all at once */

static htable_t *made[RACE_SIDES];
static uint_t losers;

static void
create(uint_t side, uint_t round)
{
	if (side == 0)
		race_wait(round / 32 * 50); /* which one is first at the lock differs from kernel to kernel */
	made[side] = htable_create(space, VA, 0, NULL);
}

/* In every other round the cached stack is empty, so that making a table takes long. */
static void
judge_create(uint_t round)
{
	uint_t n = 0;

	for (uint_t i = 0; i < RACE_SIDES && made[i] != NULL; i++, n++)
		race_true(made[i] == made[0], "two tables for the same place");
	race_true(made[0]->ht_busy == (int32_t)n, "%d holds, %u sides", made[0]->ht_busy, n);
	if (round > 0 && round % 2 == 1)
		losers += cached(space);
	for (uint_t i = 0; i < n; i++)
		htable_release(made[i]);
	if (mmu.max_page_level > 0)
		race_true(htable_lookup(space, VA, 0) == NULL, "a table is left after all holds have been given back");
	else
		htable_reap(NULL);
	if (round % 2 == 0)
		htable_purge_hat(space);
}

/** One linked table, as many holds as creators, and the tables of those who were too late are cached or freed. */
CHECK(prop_create, "prop-create", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { create, judge_create, 320, 2 };
	uint32_t tables;

	space = hat;
	losers = 0;
	made[0] = made[1] = made[2] = made[3] = NULL;
	htable_release(htable_create(hat, VA, 0, NULL)); /* what is kept above it */
	htable_purge_hat(hat);
	tables = active_ptables;
	if (race_run(&r) == 0)
		return;
	htable_purge_hat(hat);
	check_true(active_ptables <= tables, "%u page tables, %u before", active_ptables, tables);
	check_true(losers > 0, "nobody was ever too late");
	check_note("too late %u times", losers);
}

/* ------------------------------------------------------------------ D3: released here, looked up there */

static htable_t *last_hold;
static volatile uint32_t hits, misses;

static void
release_or_look(uint_t side, uint_t round)
{
	htable_t *ht, *up;
	x86pte_t link;

	if (side == 0) {
		htable_release(last_hold);
		return;
	}
	race_wait(round % 4 * 2000); /* from before the release to well behind it: it may have to wait for a lock, twice */
	ht = htable_lookup(space, VA, 0);
	atomic_inc_32(ht == NULL ? &misses : &hits);
	if (ht == NULL)
		return;
	race_wait(100);
	up = ht->ht_parent;
	link = x86pte_get(up, htable_va2entry(VA, up));
	race_true(ht->ht_hat == space && ht->ht_vaddr == VA && ht->ht_level == 0 && ht->ht_busy > 0,
	    "what was found is no table any more: %d holds", ht->ht_busy);
	race_true(link == MAKEPTP(ht->ht_pfn, 0), "what was found is not linked: 0x%llx", (unsigned long long)link);
	htable_release(ht);
}

static void
hold_again(uint_t round)
{
	if (round % 2 == 0)
		htable_purge_hat(space); /* the object itself has been freed too */
	last_hold = htable_create(space, VA, 0, NULL);
}

/** Either it is there and stays, or it is not there. */
CHECK(prop_release, "prop-release", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { release_or_look, hold_again, 200, 2 };

	space = hat;
	hits = misses = 0;
	last_hold = htable_create(hat, VA, 0, NULL);
	if (race_run(&r) != 0) {
		check_true(hits > 0 && (misses > 0 || mmu.max_page_level == 0), "found %u times, gone %u times", hits, misses);
		check_note("found %u times, gone %u times", hits, misses);
	}
	htable_release(last_hold);
}

/* ------------------------------------------------------------------ D6: destroyed while others steal */

#define VICTIM_TABLES 3

static hat_t *victim;
static volatile uint32_t met, stolen;

static void
rob(void)
{
	htable_t *ht = htable_steal(2), *next;

	for (; ht != NULL; ht = next) {
		next = ht->ht_next;
		htable_free(ht);
		atomic_inc_32(&stolen);
	}
}

static void
destroy_or_steal(uint_t side, uint_t round)
{
	(void)round;
	if (side != 0) {
		rob();
		return;
	}
	met += (victim->hat_flags & HAT_VICTIM) != 0;
	hat_free_start(victim);
	race_true(!(victim->hat_flags & HAT_VICTIM), "hat_free_start() has returned while somebody steals");
	hat_unload(victim, VA, VICTIM_TABLES * LEVEL_SIZE(1), HAT_UNLOAD);
	hat_free_end(victim);
	victim = NULL;
}

/* The object that has just been freed is used again: the allocator looks whether anybody has written to it since. */
static void
new_victim(uint_t round)
{
	(void)round;
	victim = hat_alloc(NULL);
	for (uint_t i = 0; i < VICTIM_TABLES; i++)
		hat_memload(victim, VA + i * LEVEL_SIZE(1), page, RWU, HAT_LOAD);
}

CHECK(prop_destroy, "prop-destroy", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { destroy_or_steal, new_victim, 96, 100 };
	uint32_t tables;

	htable_purge_hat(hat);
	htable_keep_none(NULL);
	tables = active_ptables;
	page = new_page();
	met = stolen = 0;
	new_victim(0);
	if (race_run(&r) != 0) {
		check_true(met > 0 && stolen > 0, "met a stealer %u times, %u tables stolen", met, stolen);
		check_note("met a stealer %u times, %u tables stolen", met, stolen);
	}
	hat_free_start(victim);
	hat_unload(victim, VA, VICTIM_TABLES * LEVEL_SIZE(1), HAT_UNLOAD);
	hat_free_end(victim);
	htable_keep_none(NULL);
	check_true(active_ptables <= tables, "%u page tables, %u before", active_ptables, tables);
	page_free(page, 1);
}

/* ------------------------------------------------------------------ D4: stolen from all who run it */

/* Not the table's first page, whose translation goes with the link to the table. */
#define IN_TABLE (VA + 5 * PAGESIZE)

static volatile uint32_t gone, warm; /* what side 0 takes away; how many others have used it */
static uint_t nsides;

/* Cached and empty tables of others go first. */
static void
rob_until_gone(void)
{
	while (warm < nsides - 1)
		pause();
	for (uint_t i = 0; i < 64 && hat_getpfnum(space, IN_TABLE) != PFN_INVALID; i++)
		rob();
	race_true(hat_getpfnum(space, IN_TABLE) == PFN_INVALID, "the table cannot be stolen");
	race_true(
	    (page->p_nrm & (P_REF | P_MOD)) == (P_REF | P_MOD), "the page does not know that it was written to: 0x%x", page->p_nrm);
	gone = 1;
}

static void
steal_or_use(uint_t side, uint_t round)
{
	uint8_t byte = (uint8_t)round;
	bool seen;

	if (side == 0) {
		rob_until_gone();
		return;
	}
	hat_setup(space);
	race_true(poke((void *)(IN_TABLE + side * 64), &byte, sizeof(byte)), "CPU %u cannot write to a mapped page", side);
	atomic_inc_32(&warm);
	while (!gone)
		pause();
	seen = peek((void *)IN_TABLE, &byte, sizeof(byte));
	race_true(!seen, "CPU %u still reaches a page whose table has been stolen", side);
	hat_setup(NULL);
}

static void
map_again(uint_t round)
{
	(void)round;
	gone = warm = 0;
	page->p_nrm = 0;
	hat_memload(space, IN_TABLE, page, RWU, HAT_LOAD);
}

CHECK(prop_steal, "prop-steal", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { steal_or_use, map_again, 40, 5 };

	space = hat;
	page = new_page();
	nsides = MIN((uint_t)ncpus, RACE_SIDES);
	stolen = 0;
	map_again(0);
	if (race_run(&r) != 0)
		check_note("%u tables stolen", stolen);
	hat_unload(hat, IN_TABLE, PAGESIZE, HAT_UNLOAD);
	page_free(page, 1);
}

/* ------------------------------------------------------------------ D7: write-protected under a writer */

#define WRITES 40u

static uint8_t wrote[RACE_SIDES]; /* the last value that each side has written: a byte, for a write that cannot be half done */
static volatile uint32_t cut;     /* rounds in which a writer was stopped in the middle */

static uintptr_t
word_of(uint_t side)
{
	return (VA + side * 64);
}

static void
write_until_fault(uint_t side)
{
	uint_t n;

	for (n = 0; n < WRITES; n++) {
		uint8_t next = wrote[side] + 1;

		if (!poke((void *)word_of(side), &next, sizeof(next)))
			break;
		wrote[side] = next;
	}
	if (n > 0 && n < WRITES)
		atomic_inc_32(&cut);
}

static void
read_words(uint8_t *words)
{
	for (uint_t i = 0; i < RACE_SIDES; i++)
		if (!peek((void *)word_of(i), &words[i], sizeof(words[i])))
			race_true(false, "the page cannot be read");
}

/* Once it has returned nobody writes any more, and whoever wrote before is known to have. */
static void
protect(void)
{
	static uint8_t then[RACE_SIDES], later[RACE_SIDES], before[RACE_SIDES];
	bool written = false;

	hat_chgprot(space, VA, PAGESIZE, RU);
	read_words(then);
	race_wait(300);
	read_words(later);
	for (uint_t i = 0; i < RACE_SIDES; i++) {
		race_true(then[i] == later[i], "side %u has written %u after the page was write-protected", i, later[i]);
		written = written || then[i] != before[i];
		before[i] = then[i];
	}
	race_true(
	    !written || (hat_pagesync(page, HAT_SYNC_DONTZERO) & P_MOD), "the page was written to, and is not known as dirty");
}

static void
protect_or_write(uint_t side, uint_t round)
{
	(void)round;
	hat_setup(space);
	if (side == 0)
		protect();
	else
		write_until_fault(side);
	hat_setup(NULL);
}

/* A clean page again, that may be written to. */
static void
allow_writes(uint_t round)
{
	uint8_t word = 0;

	(void)round;
	hat_setup(space);
	for (uint_t i = 1; i < RACE_SIDES; i++)
		race_true(peek((void *)word_of(i), &word, sizeof(word)) && word == wrote[i], "side %u wrote %u, and there is %u", i,
		    wrote[i], word);
	(void)hat_pagesync(page, HAT_SYNC_ZERORM);
	page->p_nrm = 0;
	hat_chgprot(space, VA, PAGESIZE, RWU);
	hat_setup(NULL);
}

CHECK(prop_protect, "prop-protect", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { protect_or_write, allow_writes, 96, 40 };
	uint8_t zero = 0;

	space = hat;
	page = new_page();
	cut = 0;
	hat_memload(hat, VA, page, RWU, HAT_LOAD);
	hat_setup(hat);
	for (uint_t i = 0; i < RACE_SIDES; i++) {
		wrote[i] = 0;
		check_true(poke((void *)word_of(i), &zero, sizeof(zero)), "the page cannot be written");
	}
	hat_setup(NULL);
	allow_writes(0);
	if (race_run(&r) != 0) {
		check_true(cut > 0, "no writer was ever stopped in the middle");
		check_note("stopped in the middle %u times", cut);
	}
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	page_free(page, 1);
}

/*
 * A processor that has found an entry writable may set its dirty bit a moment later, when it is not writable any more; Bochs' own
 * never do. So the others play the MMU: with interrupts off, in the middle of one instruction as it were.
 */
static htable_t *table;
static x86pte_t was, answer; /* of x86pte_update() */
static volatile uint32_t dirtied, stale;

static void
write_late(uint_t round)
{
	volatile void *p = x86pte_access_pagetable(table, 0);
	ulong_t s = intr_save();

	if (pte_load(p) & PT_WRITABLE) {
		race_wait(20 + round % 16 * 40);
		if (!(pte_load(p) & PT_WRITABLE))
			atomic_inc_32(&stale);
		atomic_or_32((volatile uint32_t *)p, PT_REF | PT_MOD);
		dirtied = 1;
	}
	intr_restore(s);
	x86pte_release_pagetable(table);
}

static void
update_or_write(uint_t side, uint_t round)
{
	hat_setup(space);
	if (side == 0) {
		was = x86pte_get(table, 0);
		answer = x86pte_update(table, 0, was, was & ~(x86pte_t)PT_WRITABLE);
	} else {
		write_late(round);
	}
	hat_setup(NULL);
}

/* Done means that the caller knows all there was; a dirty bit that it does not know is in an entry that may be written to. */
static void
judge_update(uint_t round)
{
	x86pte_t e = x86pte_get(table, 0);

	(void)round;
	race_true(!dirtied || (e & PT_MOD), "a dirty bit has vanished: 0x%llx", (unsigned long long)e);
	race_true(answer != was || !((e ^ was) & PT_MOD), "0x%llx became 0x%llx, and nobody was told", (unsigned long long)was,
	    (unsigned long long)e);
	race_true(answer == was || (e & PT_WRITABLE), "not done, and yet not writable: 0x%llx", (unsigned long long)e);
	dirtied = 0;
	(void)x86pte_update(table, 0, e, (e | PT_WRITABLE) & ~(x86pte_t)PT_MOD);
}

CHECK(prop_lost_write, "prop-lost-write", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { update_or_write, judge_update, 256, 4 };

	space = hat;
	page = new_page();
	stale = dirtied = 0;
	hat_memload(hat, VA, page, RWU, HAT_LOAD);
	table = htable_lookup(hat, VA, 0);
	if (race_run(&r) != 0) {
		check_true(stale > 0, "no write ever came late");
		check_note("%u writes came late", stale);
	}
	htable_release(table);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	page_free(page, 1);
}

/* ------------------------------------------------------------------ D8: a sparse space */

static uintptr_t edges[4];

static uint_t
find_edges(void)
{
	uint_t n = 0;

	edges[n++] = 0;
	if (mmu.hole_start != UINTPTR_MAX) {
		edges[n++] = mmu.hole_start - PAGESIZE;
		edges[n++] = mmu.hole_end + 1;
	}
	edges[n++] = kernelbase - PAGESIZE;
	return (n);
}

/** A walk sees those of the set, once, in order, and then the end. */
static void
expect_walk(hat_t *hat, uint_t set, uint_t n, uintptr_t end)
{
	uintptr_t va = 0;
	htable_t *ht = NULL;

	for (uint_t i = 0; i < n; i++) {
		if (!(set & 1u << i))
			continue;
		check_true(htable_walk(hat, &ht, &va, end) != 0, "set 0x%x: the walk does not see 0x%lx", set, edges[i]);
		check_eq(va, edges[i], "the next page of the walk");
		va += PAGESIZE;
	}
	if (va < MIN(end, kernelbase))
		check_true(htable_walk(hat, &ht, &va, end) == 0, "set 0x%x: the walk sees 0x%lx too", set, va);
	htable_release(ht);
}

/** All sets of: first page, last one below the hole, first one above it, last one below kernelbase. */
CHECK(prop_walk, "prop-walk", NULL, 0, 0, NULL, 0)
{
	uint_t n = find_edges();

	page = new_page();
	for (uint_t set = 0; set < 1u << n; set++) {
		for (uint_t i = 0; i < n; i++)
			if (set & 1u << i)
				hat_memload(hat, edges[i], page, RU, HAT_LOAD);
		expect_walk(hat, set, n, HTABLE_WALK_TO_END);
		expect_walk(hat, set, n, kernelbase);
		for (uint_t i = 0; i < n; i++)
			hat_unload(hat, edges[i], PAGESIZE, HAT_UNLOAD);
	}
	page_free(page, 1);
}

/* ------------------------------------------------------------------ D9: the source unloads, clients on all CPUs */

static hat_t *source, *client[RACE_SIDES];

static void
unload_or_read(uint_t side, uint_t round)
{
	uint32_t word;
	bool seen;

	(void)round;
	if (side == 0) {
		while (warm < nsides - 1)
			pause();
		hat_unload(source, VA, PAGESIZE, HAT_UNLOAD);
		gone = 1;
		return;
	}
	hat_setup(client[side]);
	race_true(peek((void *)VA, &word, sizeof(word)), "a client on CPU %u cannot read a shared page", side);
	atomic_inc_32(&warm);
	while (!gone)
		pause();
	seen = peek((void *)VA, &word, sizeof(word));
	race_true(!seen, "a client on CPU %u still reads a page that the source has unloaded", side);
	hat_setup(NULL);
}

static void
load_again(uint_t round)
{
	(void)round;
	gone = warm = 0;
	hat_memload(source, VA, page, RWU, HAT_LOAD_SHARE);
}

CHECK(prop_share, "prop-share", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { unload_or_read, load_again, 40, 5 };
	htable_t *ht;
	int32_t busy;

	nsides = MIN((uint_t)ncpus, RACE_SIDES);
	source = hat_alloc(NULL);
	page = new_page();
	hat_memload(source, VA + PAGESIZE, page, RWU, HAT_LOAD_SHARE);
	load_again(0);
	ht = htable_lookup(source, VA, 0);
	busy = ht->ht_busy;
	for (uint_t i = 1; i < RACE_SIDES; i++) {
		client[i] = i == 1 ? hat : hat_alloc(NULL);
		check_eq(hat_share(client[i], VA, source, VA, LEVEL_SIZE(1), 0), 0, "hat_share");
		check_eq(ht->ht_busy, busy + (int32_t)i, "holds on the source");
	}
	(void)race_run(&r);
	for (uint_t i = RACE_SIDES; --i > 0;) {
		hat_unshare(client[i], VA, LEVEL_SIZE(1), 0);
		check_eq(ht->ht_busy, busy + (int32_t)i - 1, "holds on the source, going down");
		if (i > 1) {
			hat_free_start(client[i]);
			hat_free_end(client[i]);
		}
	}
	htable_release(ht);
	hat_free_start(source);
	hat_unload(source, VA, 2 * PAGESIZE, HAT_UNLOAD);
	hat_free_end(source);
	page_free(page, 1);
}

/* ------------------------------------------------------------------ one page's mapping list, all CPUs at it */

/* Tables of their own, or all in one; the page is mapped elsewhere as well, or only where they race. */
static uintptr_t
record_va(uint_t side, uint_t round)
{
	return (VA + (side + 1) * (round / 4 % 2 == 0 ? LEVEL_SIZE(1) : PAGESIZE));
}

/* All load; all unload; some load and some unload; one throws all mappings out while the others load. */
static void
load_or_unload(uint_t side, uint_t round)
{
	uintptr_t va = record_va(side, round);
	uint_t what = round % 4;

	if (what == 3 && side == 0)
		(void)hat_pageunload(page, 0);
	else if (what == 0 || what == 3 || (what == 2 && side % 2 == 0))
		hat_memload(space, va, page, RU, HAT_LOAD);
	else
		hat_unload(space, va, PAGESIZE, HAT_UNLOAD);
}

static void
judge_records(uint_t round)
{
	uint_t mapped = 0, what = round % 4;

	for (uint_t i = 0; i < nsides; i++)
		mapped += hat_getpfnum(space, record_va(i, round)) != PFN_INVALID;
	race_true(hat_page_getshare(page) == mapped, "%u mappings are recorded, and there are %u", hat_page_getshare(page), mapped);
	if (what < 3) {
		uint_t want = what == 0 ? nsides : what == 1 ? 0 : (nsides + 1) / 2;

		race_true(mapped == want, "kind %u: %u mappings, %u are wanted", what, mapped, want);
	}
	for (uint_t i = 0; i < nsides && what == 3; i++)
		hat_unload(space, record_va(i, round), PAGESIZE, HAT_UNLOAD);
}

CHECK(prop_records, "prop-records", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { load_or_unload, judge_records, 256, 6 };

	space = hat;
	page = new_page();
	nsides = MIN((uint_t)ncpus, RACE_SIDES);
	if (race_run(&r) != 0)
		check_eq(hat_page_getshare(page), 0, "mappings that are left");
	page_free(page, 1);
}
