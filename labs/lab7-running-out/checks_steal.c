/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 7: stealing. They judge what is gone and what is left, so any way of finding victims passes that takes
 * them in the right order.
 */
#define CHECK_PART 1
#include <check/outside.h>
#include <check/trial.h>
#include <hat/hment.h>
#include <labs/lab7-running-out/checks.h>
#include <sys/cpu.h>
#include <sys/peek.h>

/* ------------------------------------------------------------------ one theft */

static htable_t *
steal(hat_t *hat, uint_t cnt)
{
	htable_t *loot;

	copy_on(hat);
	loot = htable_steal(cnt);
	copy_off();
	return (loot);
}

/* What every stolen table must be, and how many there are. */
static uint_t
look_at_loot(const htable_t *loot, uint_t most)
{
	uint_t n = 0;

	for (const htable_t *ht = loot; ht != NULL; ht = ht->ht_next) {
		n++;
		check_true(n <= most, "more than the %u tables that were asked for", most);
		check_true(ht->ht_hat == NULL, "stolen table %u still names an owner, who may be gone at any moment", n);
		check_true(ht->ht_valid_cnt == 0, "stolen table %u still counts %d entries", n, ht->ht_valid_cnt);
		check_true(ht->ht_pfn != PFN_INVALID && page_numtopp_nolock(ht->ht_pfn)->p_state == PAGE_TABLE,
		    "stolen table %u has frame 0x%lx, which is none of a table", n, ht->ht_pfn);
		for (uint_t i = 0; i < mmu.ptes_per_table; i++)
			check_true(raw_entry(ht, i) == 0, "entry %u of stolen table %u is still 0x%llx", i, n,
			    (unsigned long long)raw_entry(ht, i));
	}
	return (n);
}

/* The lowest entry for an address, as it stands. */
static x86pte_t
hat_leaf(hat_t *hat, uintptr_t va)
{
	htable_t *ht = htable_lookup(hat, va, 0);
	x86pte_t e = raw_entry(ht, htable_va2entry(va, ht));

	htable_release(ht);
	return (e);
}

/* Exactly so many. */
static void
take(hat_t *hat, uint_t cnt)
{
	htable_t *loot = steal(hat, cnt);

	check_eq(look_at_loot(loot, cnt), cnt, "tables stolen");
	(void)give_back(loot);
}

/* ------------------------------------------------------------------ those first that nobody will miss */

CHECK(theft_cached, "theft-cached", "htable_steal", 7, 3, NULL, 0)
{
	hat_t *one = check_hat(), *two = check_hat();
	page_t *pp = check_page();
	uint_t had;

	lab7_start();
	map(hat, VA, 1, pp);
	make_cached(one, 3);
	make_cached(two, 2);
	had = cached(one) + cached(two);
	take(hat, 1);
	check_eq(cached(one) + cached(two), had - 1, "cached tables left, after one was stolen");
	take(hat, had - 1);
	check_eq(cached(one) + cached(two), 0, "cached tables left, after as many were stolen as there were");
	check_eq(linked(hat, 0, 1), 1, "live tables, while there were cached ones to take");
	unmap(hat);
	page_free(pp, 0);
}

/* Above the largest pages, tables stay when they are empty: in some geometries those are the top tables, which nobody takes. */
CHECK(theft_empty, "theft-empty", "htable_steal", 7, 2, "theft-cached", 0)
{
	hat_t *rich = check_hat();
	page_t *pp = check_page();
	uint_t n;

	lab7_start();
	make_cached(rich, 1);
	htable_purge_hat(rich);
	map(hat, VA, 1, pp);
	n = empty(rich);
	if (n > 0)
		take(hat, n);
	else
		(void)give_back(steal(hat, 0));
	check_eq(empty(rich), 0, "empty tables left, after so many were stolen as there were");
	check_eq(linked(hat, 0, 1), 1, "live tables, while there were empty ones to take");
	unmap(hat);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ a live one */

/* A table that somebody holds keeps those above it from becoming empty, and from going with a flush of their own. */
static void
anchor(hat_t *hat, uintptr_t va, page_t *pp)
{
	map(hat, va, 1, pp);
	(void)htable_lookup(hat, va, 0);
}

static void
unanchor(hat_t *hat, uintptr_t va)
{
	htable_t *ht = htable_lookup(hat, va, 0);

	htable_release(ht);
	htable_release(ht);
	hat_unload(hat, va, PAGESIZE, HAT_UNLOAD);
}

#define ANCHOR     (VA + 40 * LEVEL_SIZE(1)) /* beside tables from VA on */
#define BESIDE(va) ((va) ^ LEVEL_SIZE(1))

#define NPAGES 5

/* All that a theft must undo, and nothing else: a neighbour that somebody holds stays, and the parent of both. */
CHECK(theft_live, "theft-live", "htable_steal", 7, 4, "theft-cached", 0)
{
	uintptr_t va = check_va(1), held = BESIDE(va);
	page_t *pp = check_page(), *other = check_page();
	htable_t *victim, *parent, *loot;
	uint_t slot;
	int32_t busy;

	lab7_start();
	map(hat, va, NPAGES, pp);
	anchor(hat, held, other);
	victim = htable_lookup(hat, va, 0);
	parent = victim->ht_parent;
	htable_release(victim);
	slot = htable_va2entry(va, parent);
	busy = parent->ht_busy;
	expect_leaf(held, 0, hat_leaf(hat, held));
	loot = steal(hat, 1);
	check_true(look_at_loot(loot, 1) == 1, "no table was stolen, although one with %d entries is there for the taking", NPAGES);
	check_true(loot == victim, "the table that somebody holds was stolen");
	check_true(raw_entry(parent, slot) == 0, "slot %u of the parent is still 0x%llx", slot,
	    (unsigned long long)raw_entry(parent, slot));
	check_eq(parent->ht_valid_cnt, 1, "ht_valid_cnt of the parent, which has one child left");
	check_true(parent->ht_busy == busy - 1, "ht_busy of the parent is %d after its child was stolen, and was %d before",
	    parent->ht_busy, busy);
	check_eq(hat->hat_pages_mapped[0], 1, "hat_pages_mapped[0]");
	check_eq(hment_mapcnt(pp), 0, "mappings that the stolen table's page still knows of");
	check_outside(hat);
	(void)give_back(loot);
	unanchor(hat, held);
	page_free(pp, 0);
	page_free(other, 0);
}

/* Entries of the lowest table over an address; 0 without one. */
static int32_t
entries(hat_t *hat, uintptr_t va)
{
	htable_t *ht = htable_lookup(hat, va, 0);
	int32_t n = ht == NULL ? 0 : ht->ht_valid_cnt;

	htable_release(ht);
	return (n);
}

/* Of the tables in three address spaces, the emptiest each time; the fullest stands first in the list. */
CHECK(theft_order, "theft-order", "htable_steal", 7, 3, "theft-live", 0)
{
	hat_t *hats[3] = { hat, check_hat(), check_hat() };
	uint_t full = mmu.ptes_per_table, some = full / 4 + (uint_t)check_random(full / 8), n[3] = { 2, some, full };
	page_t *pp = check_page();

	lab7_start();
	for (uint_t i = 0; i < 3; i++) {
		map(hats[i], VA, n[i], pp);
		anchor(hats[i], ANCHOR, pp);
	}
	for (uint_t i = 0; i < 3; i++) {
		take(hat, 1);
		for (uint_t k = 0; k < 3; k++)
			check_true((entries(hats[k], VA) == 0) == (k <= i),
			    "theft %u: of tables with 2, %u and %u entries there are left: %d, %d, %d", i + 1, some, full,
			    entries(hats[0], VA), entries(hats[1], VA), entries(hats[2], VA));
	}
	for (uint_t i = 0; i < 3; i++) {
		unanchor(hats[i], ANCHOR);
		unmap(hats[i]);
	}
	page_free(pp, 0);
}

/* However few steps are asked for, or many, the last one takes a full table. */
CHECK(theft_passes, "theft-passes", "htable_steal", 7, 1, "theft-live", 0)
{
	const uint64_t passes[2] = { 0, 1u << 20 }, want[2] = { 1, mmu.ptes_per_table };
	page_t *pp = check_page();

	lab7_start();
	anchor(hat, ANCHOR, pp);
	for (uint_t i = 0; i < 2; i++) {
		map(hat, VA, mmu.ptes_per_table, pp);
		htable_steal_passes = passes[i];
		take(hat, 1);
		check_eq(htable_steal_passes, want[i], "htable_steal_passes as corrected");
	}
	unanchor(hat, ANCHOR);
	unmap(hat);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ what the MMU knew of it */

#define TOUCHED 64

static bool
reach(uintptr_t va)
{
	char c;

	return (peek((void *)va, &c, 1));
}

static void
touch(uintptr_t va, bool write)
{
	char c = 1;

	check_true(write ? poke((void *)va, &c, 1) : reach(va), "0x%lx is mapped and cannot be reached", (ulong_t)va);
}

#define NSTALE 16 /* few, so that all is done before the next tick: a switch to another thread would empty the TLB */

/* By behaviour: the TLB has all of it. */
CHECK(theft_stale, "theft-stale", "htable_steal", 7, 3, "theft-live", 0)
{
	uintptr_t va = check_va(1);
	page_t *pp = check_page();
	uint_t still = 0;
	htable_t *loot;

	lab7_start();
	map(hat, va, NSTALE, pp);
	anchor(hat, BESIDE(va), pp);
	hat_setup(hat);
	thread_delay(1);
	for (uint_t i = 0; i < NSTALE; i++)
		touch(va + i * PAGESIZE, i % 4 == 0);
	loot = steal(hat, 1);
	for (uint_t i = 0; i < NSTALE; i++)
		still += reach(va + i * PAGESIZE);
	hat_setup(NULL);
	check_eq(look_at_loot(loot, 1), 1, "tables stolen");
	check_true(still == 0, "%u of %u pages can still be reached through the table that was stolen: no flush", still, NSTALE);
	(void)give_back(loot);
	unanchor(hat, BESIDE(va));
	page_free(pp, 0);
}

/* What the MMU had noted in its entries is the pages' from now on. */
CHECK(theft_bits, "theft-bits", "htable_steal", 7, 2, "theft-live", 0)
{
	uintptr_t va = check_va(1);
	page_t *read = check_page(), *written = check_page(), *neither = check_page();

	lab7_start();
	map(hat, va, 1, read);
	map(hat, va + PAGESIZE, 1, written);
	map(hat, va + 2 * PAGESIZE, 1, neither);
	hat_setup(hat);
	touch(va, false);
	touch(va + PAGESIZE, true);
	hat_setup(NULL);
	take(hat, 1);
	check_eq(read->p_nrm & (P_REF | P_MOD), P_REF, "accessed and dirty of a page that was read");
	check_eq(written->p_nrm & (P_REF | P_MOD), P_REF | P_MOD, "accessed and dirty of a page that was written");
	check_eq(neither->p_nrm & (P_REF | P_MOD), 0, "accessed and dirty of a page that nobody used");
	page_free(read, 0);
	page_free(written, 0);
	page_free(neither, 0);
}

/* A flush for each entry would be 512 cross-calls. */
CHECK(theft_flushes, "theft-flushes", "htable_steal", 7, 3, "theft-live", 0)
{
	uintptr_t va = check_va(1);
	page_t *pp = check_page();
	htable_t *loot;
	uint_t flushes;

	lab7_start();
	map(hat, va, mmu.ptes_per_table, pp);
	anchor(hat, BESIDE(va), pp);
	hat_setup(hat);
	for (uint_t i = 0; i < TOUCHED; i++)
		touch(va + i * PAGESIZE, false);
	loot = steal(hat, 1);
	flushes = trial_calls("hat_tlb_inval", (uintptr_t)hat, TRIAL_ANY) + trial_calls_lost();
	hat_setup(NULL);
	check_eq(look_at_loot(loot, 1), 1, "tables stolen");
	check_true(!trial_records("hat_tlb_inval") || (flushes >= 1 && flushes <= 2),
	    "%u flushes for one table of %u pages in use: want 1, or 2 with that of the link", flushes, mmu.ptes_per_table);
	(void)give_back(loot);
	unanchor(hat, BESIDE(va));
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ who is robbed */

static void
mark(hat_t *hat, uint32_t flag, bool on)
{
	mutex_enter(&hat_list_lock);
	if (on)
		atomic_or_32(&hat->hat_flags, flag);
	else
		atomic_and_32(&hat->hat_flags, ~flag);
	mutex_exit(&hat_list_lock);
}

static void
spared(hat_t *hat, uintptr_t va, page_t *pp, const char *what)
{
	check_true(hat_getpfnum(hat, va) == pp->p_pagenum, "%s lost the page at 0x%lx", what, (ulong_t)va);
}

/* Address spaces that somebody else is busy with, and tables that are in use. */
CHECK(theft_spared, "theft-spared", "htable_steal", 7, 4, "theft-live", 0)
{
	hat_t *freeing = check_hat(), *shared = check_hat(), *marked = check_hat(), *held = check_hat();
	page_t *pp = check_page();
	htable_t *ht;

	lab7_start();
	map(freeing, VA, 1, pp);
	hat_free_start(freeing);
	hat_memload(shared, VA, pp, RW, HAT_LOAD_SHARE);
	map(marked, VA, 1, pp);
	mark(marked, HAT_VICTIM, true);
	map(held, VA, 1, pp);
	ht = htable_lookup(held, VA, 0);
	hat_memload(hat, VA, pp, RW, HAT_LOAD_LOCK);
	(void)steal(hat, 100);
	spared(freeing, VA, pp, "an address space that is HAT_FREEING");
	spared(shared, VA, pp, "an address space that is HAT_SHARED");
	spared(marked, VA, pp, "an address space that another stealer has marked (HAT_VICTIM)");
	check_true(marked->hat_flags & HAT_VICTIM, "the mark of another stealer was taken away");
	spared(held, VA, pp, "a table that somebody holds");
	spared(hat, VA, pp, "a table with a locked mapping");
	check_eq(linked(hat, TOP_LEVEL(hat), 0), 1, "top tables");
	htable_release(ht);
	mark(marked, HAT_VICTIM, false);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD_UNLOCK);
	unmap(held);
	unmap(marked);
	unmap(shared);
	unmap(freeing);
	page_free(pp, 0);
}

#define NSPACES 4
#define NTABLES 4

/* One after the other, and the next theft goes on where this one has stopped; several at once are spread as well. */
CHECK(theft_spread, "theft-spread", "htable_steal", 7, 3, "theft-live", 0)
{
	hat_t *hats[NSPACES] = { hat, check_hat(), check_hat(), check_hat() };
	page_t *pp = check_page();

	lab7_start();
	for (uint_t i = 0; i < NSPACES; i++) {
		for (uint_t t = 0; t < NTABLES; t++)
			map(hats[i], VA + t * LEVEL_SIZE(1), 2, pp);
		anchor(hats[i], ANCHOR, pp);
	}
	for (uint_t turn = 1; turn <= 3; turn++) {
		if (turn < 3)
			for (uint_t i = 0; i < NSPACES; i++)
				take(hat, 1);
		else
			take(hat, NSPACES);
		for (uint_t i = 0; i < NSPACES; i++)
			check_true(linked(hats[i], 0, 2) == NTABLES - turn,
			    "turn %u, %s: address space %u of %u has %u tables left, "
			    "and should have %u like the others",
			    turn, turn < 3 ? "one by one" : "all at once", i + 1, NSPACES, linked(hats[i], 0, 2), NTABLES - turn);
	}
	for (uint_t i = 0; i < NSPACES; i++) {
		unanchor(hats[i], ANCHOR);
		unmap(hats[i]);
	}
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ somebody else is there */

/** The one who comes in between: he has a page's mapping list locked, so that the stealer stops at its first mapping. */
static struct {
	hat_t *hat;
	page_t *pp;
	htable_t *ht; /**< held since then */
	volatile bool ready;
	bool slept, marked, ending; /**< ending: hat_free_start() did not wait */
	const char *holds;          /**< a mutex that he should not hold, in words */
	kthread_t *ender;
	volatile bool ended;
} between;

/* A lock of the list, or of the tables of an address space. */
static const char *
lock_held(const kthread_t *t, const hat_t *hat)
{
	for (int i = 0; i < t->t_nlocks; i++) {
		uintptr_t m = (uintptr_t)t->t_locks[i];

		if (m == (uintptr_t)&hat_list_lock)
			return ("hat_list_lock");
		if (m >= (uintptr_t)hat && m < (uintptr_t)(hat + 1))
			return (m == (uintptr_t)&hat->hat_mutex ? "hat_mutex" : "a table's lock");
	}
	return (NULL);
}

static void
wait_inside(void)
{
	x86_hm_enter(between.pp);
	between.ready = true;
	between.slept = other_sees_sleep(50);
	between.holds = lock_held(other_whom(), between.hat);
	between.marked = (between.hat->hat_flags & HAT_VICTIM) != 0;
}

static void
want_it_back(void)
{
	wait_inside();
	kpreempt_disable(); /* who may not wait does not wait for a thief either */
	between.ht = htable_lookup(between.hat, VA, 0);
	kpreempt_enable();
	x86_hm_exit(between.pp);
}

static void
start_between(hat_t *hat, page_t *pp, void (*fn)(void))
{
	between.hat = hat;
	between.pp = pp;
	between.ht = NULL;
	between.ready = between.slept = between.ended = false;
	between.ender = NULL;
	other_start(fn);
	while (!between.ready)
		thread_yield();
}

/* A table that was idle when the stealer came, and is wanted again before he has it: he gives it up. */
CHECK(theft_wanted, "theft-wanted", "htable_steal", 7, 3, "theft-live", 0)
{
	page_t *pp = check_page();
	htable_t *loot, *ht;

	lab7_start();
	map(hat, VA, 100, pp);
	start_between(hat, pp, want_it_back);
	loot = steal(hat, 1);
	other_join();
	ht = between.ht;
	check_true(between.slept, "the stealer did not take the lock of the mapping list of a page that it unmapped");
	check_true(ht != NULL, "the table could not be found while it was being emptied");
	check_true(loot == NULL, "a table was stolen that somebody had taken a hold on while it was being emptied");
	check_true(ht->ht_busy == 1, "ht_busy is %d: one has the table, and the stealer has gone", ht->ht_busy);
	check_true(raw_entry(ht->ht_parent, htable_va2entry(VA, ht->ht_parent)) == MAKEPTP(ht->ht_pfn, 0),
	    "the parent's slot is 0x%llx, and the table is not reached any more, although somebody has it",
	    (unsigned long long)raw_entry(ht->ht_parent, htable_va2entry(VA, ht->ht_parent)));
	check_true(!(ht->ht_flags & HTABLE_CUT), "the table is still marked HTABLE_CUT");
	htable_release(ht);
	map(hat, VA, 1, pp);
	hat_setup(hat);
	touch(VA, false);
	hat_setup(NULL);
	unmap(hat);
	page_free(pp, 0);
}

static void
end_hat(void *arg)
{
	(void)arg;
	hat_free_start(between.hat);
	between.ended = true;
}

static void
end_it_meanwhile(void)
{
	wait_inside();
	between.ender = thread_create("end", end_hat, NULL);
	thread_delay(2);
	between.ending = between.ended;
	x86_hm_exit(between.pp);
}

/* As long as it works there, the victim is marked, and not one moment longer. */
CHECK(theft_mark, "theft-mark", "htable_steal", 7, 3, "theft-live", 0)
{
	hat_t *victim = check_hat();
	page_t *pp = check_page();
	bool left, woken;

	lab7_start();
	map(victim, VA, 3, pp);
	start_between(victim, pp, end_it_meanwhile);
	(void)give_back(steal(hat, 1));
	other_join();
	for (int i = 0; i < 20 && !between.ended; i++)
		thread_delay(1);
	woken = between.ended;
	left = (victim->hat_flags & HAT_VICTIM) != 0;
	mark(victim, HAT_VICTIM, false); /* whoever waits for that: on you go */
	mutex_enter(&hat_list_lock);
	cv_broadcast(&hat_list_cv);
	mutex_exit(&hat_list_lock);
	if (between.ender != NULL)
		thread_join(between.ender);
	check_true(between.slept, "the stealer did not take the lock of the mapping list of a page that it unmapped");
	check_true(
	    between.holds == NULL, "the stealer holds %s while it unmaps pages, which takes mapping-list locks", between.holds);
	check_true(between.marked, "an address space is being robbed, and not marked HAT_VICTIM");
	check_true(!between.ending, "hat_free_start() did not wait until the stealer had finished");
	check_true(!left, "the victim is still marked HAT_VICTIM");
	check_true(woken, "hat_free_start() was not woken when the mark was taken away");
	unmap(victim);
	page_free(pp, 0);
}
