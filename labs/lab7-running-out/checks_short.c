/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 7: what to do when no table can be had, and reaping.
 */
#define CHECK_PART 2
#include <check/trial.h>
#include <labs/lab7-running-out/checks.h>

/* ------------------------------------------------------------------ no table can be had */

#define PLENTY 40 /* cached tables: more than the reaper takes that is asked for meanwhile */

static void
look_at_object(const htable_t *ht)
{
	page_t *pp = ht == NULL ? NULL : page_numtopp_nolock(ht->ht_pfn);

	check_true(ht != NULL, "no table");
	check_true(pp != NULL, "a table was wanted with a frame, and has frame 0x%lx", ht->ht_pfn);
	check_true(pp->p_state == PAGE_TABLE && PAGE_SHARED(pp), "its frame 0x%lx is in state %d, p_selock %d", ht->ht_pfn,
	    pp->p_state, (int)pp->p_selock);
}

static void
give_one_back(htable_t *ht)
{
	ht->ht_hat = NULL;
	ht->ht_flags = 0;
	if (ht->ht_pfn == PFN_INVALID)
		htable_object_put(ht);
	else
		htable_free(ht);
}

/* A table that somebody is not using at the moment. */
CHECK(fallback_frame, "fallback-frame", "htable_alloc_fallback", 7, 2, NULL, 0)
{
	hat_t *rich = check_hat();
	htable_t *ht;
	uint_t calls;

	lab7_start();
	make_cached(rich, PLENTY);
	copy_on(hat);
	ht = htable_alloc_fallback(hat, false);
	copy_off();
	calls = trial_calls("htable_steal", 1, TRIAL_ANY);
	kmem_reap_settle();
	look_at_object(ht);
	check_true(calls > 0 || !trial_records("htable_steal"), "nobody was asked for a table: htable_steal(1) was not called");
	give_one_back(ht);
}

CHECK(fallback_bare, "fallback-bare", "htable_alloc_fallback", 7, 2, "fallback-frame", 0)
{
	hat_t *rich = check_hat();
	htable_t *ht;
	uint_t calls;

	lab7_start();
	make_cached(rich, PLENTY);
	copy_on(hat);
	ht = htable_alloc_fallback(hat, true);
	copy_off();
	calls = trial_calls("ptable_free", TRIAL_ANY, TRIAL_ANY);
	kmem_reap_settle();
	check_true(ht != NULL, "no table");
	check_true(ht->ht_pfn == PFN_INVALID, "a table was wanted without a frame, and has frame 0x%lx", ht->ht_pfn);
	check_true(calls == 1 || !trial_records("ptable_free"), "the frame of the stolen table was given back %u times", calls);
	give_one_back(ht);
}

/** There is memory again, after a while; and if that is no help, there is a table to steal, so that everybody comes to an end. */
static struct {
	ulong_t throttle;
	hat_t *rich;
	page_t *pp;
	volatile bool enough, too_late;
} relief;

#define SHORT 10 /* ticks without memory */
#define LATE  30 /* ticks with memory that is not used */

static void
free_memory_later(void)
{
	for (uint64_t i = 0; i < SHORT && !other_stopped(); i++)
		thread_delay(1);
	relief.enough = true;
	throttlefree = relief.throttle;
	for (uint64_t i = 0; i < LATE && !other_stopped(); i++)
		thread_delay(1);
	if (!other_stopped()) {
		relief.too_late = true;
		map(relief.rich, VA, 1, relief.pp);
	}
}

static long
objects(void)
{
	kmem_reap_settle();
	return ((long)kmem_cache_inuse(htable_cache) - (long)htable_reserve_cnt);
}

/* Nothing to be had and nothing to be stolen: there will be memory again, and until then others need the CPU. */
CHECK(fallback_waits, "fallback-waits", "htable_alloc_fallback", 7, 3, "fallback-frame", 0)
{
	bool enough, too_late;
	uint_t attempts;
	htable_t *ht;
	long had;

	relief.rich = check_hat();
	relief.pp = check_page();
	lab7_start();
	htable_purge_hat(hat);
	htable_keep_none(NULL);
	(void)give_back(htable_steal(1000));
	had = objects();
	relief.throttle = throttlefree;
	relief.enough = relief.too_late = false;
	throttlefree = physmem;
	other_start(free_memory_later);
	copy_on(hat);
	ht = htable_alloc_fallback(hat, false);
	copy_off();
	attempts = trial_calls("htable_steal", TRIAL_ANY, TRIAL_ANY) + trial_calls_lost();
	enough = relief.enough;
	too_late = relief.too_late;
	other_join();
	check_true(ht != NULL, "no table, instead of a later one: nobody knows what to do then");
	check_true(enough, "a frame, although there was no memory");
	check_true(!too_late, "there has been memory again for %u ticks, and it came back only with a stolen table", LATE);
	look_at_object(ht);
	check_true(attempts <= 4 * SHORT, "%u attempts in %u ticks: nobody else could use the CPU meanwhile", attempts, SHORT);
	give_one_back(ht);
	check_eq(objects(), had, "objects taken from the cache, after the only one that was wanted has been given back");
	unmap(relief.rich);
	page_free(relief.pp, 0);
}

CHECK(fallback_reaps, "fallback-reaps", "htable_alloc_fallback", 7, 1, "fallback-frame", 0)
{
	ulong_t reaps = hatstat.hs_reap_attempts;
	hat_t *rich = check_hat();
	htable_t *ht;

	lab7_start();
	make_cached(rich, PLENTY);
	copy_on(hat);
	ht = htable_alloc_fallback(hat, false);
	copy_off();
	kmem_reap_settle();
	check_true(hatstat.hs_reap_attempts > reaps, "no cache was asked to give memory back: kmem_reap() was not called");
	give_one_back(ht);
}

/* HATSTAT_INC is the callers' business. */
CHECK(fallback_counts, "fallback-counts", "htable_alloc_fallback", 7, 1, "fallback-frame", 0)
{
	ulong_t steals = hatstat.hs_steals;
	hat_t *rich = check_hat();
	htable_t *ht;
	uint_t calls;

	lab7_start();
	make_cached(rich, PLENTY);
	copy_on(hat);
	ht = htable_alloc_fallback(hat, false);
	copy_off();
	calls = trial_records("htable_steal") ? trial_calls("htable_steal", TRIAL_ANY, TRIAL_ANY) : 1;
	kmem_reap_settle();
	check_eq(hatstat.hs_steals - steals, calls, "hs_steals, how many more, where htable_steal() was called so often");
	give_one_back(ht);
}

static void
fall_back(void *hat)
{
	(void)htable_alloc_fallback(hat, false);
}

/* There is nobody to steal from, and there never will be if start-up cannot go on. */
CHECK(fallback_early, "fallback-early", "htable_alloc_fallback", 7, 1, NULL, 0)
{
	char text[160] = "";
	bool stopped;

	lab7_start();
	can_steal_post_boot = 0;
	copy_on(hat);
	stopped = check_panics(fall_back, hat, text, sizeof(text));
	copy_off();
	check_true(stopped, "no panic, although nobody can be stolen from yet");
	check_note("the panic: %s", text);
}

/* ------------------------------------------------------------------ reaping */

static uint_t
reap_amount(void)
{
	return ((uint_t)MAX(10ul, MIN(physmem / 20, (ulong_t)active_ptables / 20)));
}

static uint32_t pretended; /* so many tables more than there are */

static void
pretend(uint32_t tables)
{
	uint32_t more = tables - (active_ptables - pretended);

	active_ptables += more - pretended;
	pretended = more;
}

static void
reaper_end(void)
{
	active_ptables -= pretended;
	pretended = 0;
	lab7_end();
}

/** As if there were not many tables: what others have left behind must not make a reap larger. */
static void
reaper_start(void)
{
	lab7_start();
	check_finally(reaper_end);
	pretend(100);
}

/* More cached tables than a reap takes, and a live one that must stay. */
static hat_t *
make_reapable(hat_t *hat, page_t *pp)
{
	hat_t *rich = check_hat();

	map(hat, VA, 5, pp);
	make_cached(rich, PLENTY);
	return (rich);
}

/* What is taken is freed, or somebody has it. */
static uint_t
reap(hat_t *hat, hat_t *rich)
{
	uint_t had = cached(rich), kept = cached(kas_hat), taken;
	uint32_t tables = active_ptables;

	copy_on(hat);
	htable_reap(NULL);
	copy_off();
	taken = had - cached(rich);
	kept = cached(kas_hat) - kept;
	tables -= active_ptables;
	check_true(tables + kept == taken, "%u tables were taken, %u frames came back, and nobody has the others", taken, tables);
	return (taken);
}

CHECK(reaper_amount, "reaper-amount", "htable_reap", 7, 2, NULL, 0)
{
	page_t *pp = check_page();
	hat_t *rich = make_reapable(hat, pp);

	reaper_start();
	check_eq(reap(hat, rich), reap_amount(), "tables taken from 40 cached ones");
	check_eq(linked(hat, 0, 5), 1, "live tables");
	unmap(hat);
	page_free(pp, 0);
}

/* Pretend that there are many tables: a twentieth of them; then that there is little memory: a twentieth of it. */
CHECK(reaper_formula, "reaper-formula", "htable_reap", 7, 1, "reaper-amount", 0)
{
	const uint32_t many = 20 * 14 + (uint32_t)check_random(60);
	page_t *pp = check_page();
	hat_t *rich = make_reapable(hat, pp);
	uint_t want, have;

	reaper_start();
	for (int turn = 0; turn < 2; turn++) {
		pretend(many);
		if (turn == 1)
			physmem = 20 * 12 + 3;
		want = reap_amount();
		have = reap(hat, rich);
		check_true(
		    have == want, "%u tables taken, want %u: there were %u, and %lu pages of memory", have, want, many, physmem);
		make_cached(rich, PLENTY);
	}
	unmap(hat);
	page_free(pp, 0);
}

/* What is reaped helps others only if it really becomes free. */
CHECK(reaper_frees, "reaper-frees", "htable_reap", 7, 2, "reaper-amount", 0)
{
	page_t *pp = check_page();
	hat_t *rich = make_reapable(hat, pp);
	ulong_t free, resv;
	uint32_t active;
	uint_t want;

	reaper_start();
	want = reap_amount();
	htable_reserve_amount = htable_reserve_cnt + 2 * want; /* objects go there: nothing but frames changes freemem */
	free = freemem;
	resv = availrmem;
	active = active_ptables;
	(void)reap(hat, rich);
	check_eq(active - active_ptables, want, "active_ptables, how many less after a reap");
	check_eq(freemem - free, want, "pages that became free");
	check_eq(availrmem - resv, want, "pages that may be reserved again");
	unmap(hat);
	page_free(pp, 0);
}

CHECK(reaper_counts, "reaper-counts", "htable_reap", 7, 1, "reaper-amount", 0)
{
	ulong_t attempts = hatstat.hs_reap_attempts, reaped = hatstat.hs_reaped;
	page_t *pp = check_page();
	hat_t *rich = make_reapable(hat, pp);
	uint_t n;

	reaper_start();
	n = reap(hat, rich);
	check_eq(hatstat.hs_reap_attempts - attempts, 1, "hs_reap_attempts, how many more after one reap");
	check_eq(hatstat.hs_reaped - reaped, n, "hs_reaped, how many more after a reap");
	unmap(hat);
	page_free(pp, 0);
}

CHECK(reaper_early, "reaper-early", "htable_reap", 7, 1, NULL, 0)
{
	page_t *pp = check_page();
	hat_t *rich = make_reapable(hat, pp);

	reaper_start();
	can_steal_post_boot = 0;
	check_eq(reap(hat, rich), 0, "tables taken although stealing is not possible yet");
	unmap(hat);
	page_free(pp, 0);
}

#define SURPLUS 6u

/* Nothing to reap, and still something to give back. */
CHECK(reaper_reserve, "reaper-reserve", "htable_reap", 7, 1, "reaper-amount", 0)
{
	reaper_start();
	(void)give_back(htable_steal(1000));
	htable_reserve_amount = htable_reserve_cnt > SURPLUS ? htable_reserve_cnt - SURPLUS : 0;
	copy_on(hat);
	htable_reap(NULL);
	copy_off();
	check_eq(htable_reserve_cnt, htable_reserve_amount, "objects left in the reserve");
}
