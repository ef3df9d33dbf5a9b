/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 7: frames for tables, what to do without one, and reaping. Those of stealing are in checks_steal.c.
 */
#include <check/trial.h>
#include <hat/hment.h>
#include <labs/lab7-running-out/checks.h>

/* ------------------------------------------------------------------ frames, one by one */

/** The counts that frames change. A copy that miscounts frames of nobody's harms nobody: they are put back. */
static struct {
	ulong_t		free, resv, allocs, frees;
	uint32_t	active;
} before;

static void
note_counts(void)
{
	before.free = freemem;
	before.resv = availrmem;
	before.allocs = hatstat.hs_ptable_allocs;
	before.frees = hatstat.hs_ptable_frees;
	before.active = active_ptables;
}

static void
put_counts_back(void)
{
	hatstat.hs_ptable_allocs = before.allocs;
	hatstat.hs_ptable_frees = before.frees;
	active_ptables = before.active;
}

static void
frames_end(void)
{
	put_counts_back();
	lab7_end();
}

/** The beginning of a check whose copy gets or frees frames that no table has. */
static void
frames_start(void)
{
	lab7_start();
	note_counts();
	check_finally(frames_end);
}

/* A frame that no table has got, by hand, counts of tables aside. */
static void
free_frame(pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);

	if (pp != NULL && page_tryupgrade(pp)) {
		page_free(pp, 0);
		page_unresv(1);
	}
}

/* Ask the copy for one. How it counts is judged by one check alone. */
static pfn_t
ask(hat_t *hat)
{
	pfn_t pfn;

	copy_on(hat);
	pfn = ptable_alloc((uintptr_t)check_random(1000000));
	copy_off();
	put_counts_back();
	return (pfn);
}

static void
look_at_frame(pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);

	check_true(pfn != PFN_INVALID, "no frame, although %lu pages are free and requests stop at %lu", freemem, throttlefree);
	check_true(pp != NULL, "frame 0x%lx has no page", pfn);
	check_true(pp->p_state == PAGE_TABLE, "frame 0x%lx is in state %d: it was not got as a page for a table (PAGE_TABLE)", pfn,
	    pp->p_state);
	check_true(pp->p_selock == 1, "frame 0x%lx is not locked shared by one: p_selock is %d", pfn, (int)pp->p_selock);
}

CHECK(frame_state, "frame-state", "ptable_alloc", 7, 2, NULL, 0)
{
	pfn_t a, b;

	frames_start();
	a = ask(hat);
	b = ask(hat);
	look_at_frame(a);
	look_at_frame(b);
	check_true(a != b, "frame 0x%lx was given out twice", a);
	check_eq(before.free - freemem, 2, "free pages taken for two frames");
	check_eq(before.resv - availrmem, 2, "pages reserved for two frames");
	free_frame(a);
	free_frame(b);
}

CHECK(frame_counts, "frame-counts", "ptable_alloc", 7, 2, "frame-state", 0)
{
	ulong_t allocs;
	uint32_t active;
	pfn_t pfn;

	frames_start();
	copy_on(hat);
	pfn = ptable_alloc(1);
	copy_off();
	active = active_ptables - before.active;
	allocs = hatstat.hs_ptable_allocs - before.allocs;
	put_counts_back();
	check_eq(active, 1, "active_ptables, how many more after one frame");
	check_eq(allocs, 1, "hs_ptable_allocs, how many more after one frame");
	free_frame(pfn);
}

/* One page more, or less, than is too few. */
CHECK(frame_throttle, "frame-throttle", "ptable_alloc", 7, 2, "frame-state", 0)
{
	pfn_t pfn;

	frames_start();
	for (ulong_t above = 0; above < 2; above++) {
		throttlefree = freemem - above;
		pfn = ask(hat);
		check_true(pfn == PFN_INVALID, "frame 0x%lx, although freemem was %lu and throttlefree %lu", pfn, before.free,
		    throttlefree);
	}
	check_eq(availrmem, before.resv, "pages that may be reserved, after requests that were refused");
	throttlefree = freemem - 2;
	pfn = ask(hat);
	check_true(pfn != PFN_INVALID, "no frame, although freemem was %lu and throttlefree only %lu", before.free, throttlefree);
	free_frame(pfn);
}

CHECK(frame_exempt, "frame-exempt", "ptable_alloc", 7, 1, "frame-state", 0)
{
	pfn_t pfn;

	frames_start();
	throttlefree = physmem;
	curthread->t_flags |= T_NOMEMWAIT;
	pfn = ask(hat);
	curthread->t_flags &= ~T_NOMEMWAIT;
	check_true(pfn != PFN_INVALID, "no frame for a T_NOMEMWAIT thread, with %lu pages free", freemem);
	free_frame(pfn);
}

/* Nothing to be had: that is an answer, and nothing has happened. */
CHECK(frame_none, "frame-none", "ptable_alloc", 7, 2, "frame-state", 0)
{
	uint32_t active;
	pfn_t pfn;

	frames_start();
	page_fail_after = 1;
	copy_on(hat);
	pfn = ptable_alloc(1);
	copy_off();
	page_fail_after = 0;
	active = active_ptables - before.active;
	put_counts_back();
	check_true(pfn == PFN_INVALID, "frame 0x%lx, although the page allocator had none", pfn);
	check_eq(active, 0, "active_ptables, how many more after a request without success");
	check_eq(availrmem, before.resv, "pages that may be reserved, after a request without success");
}

#define EVERY	3	/* force_steal: three requests pass, and the next one fails */

CHECK(frame_forced, "frame-forced", "ptable_alloc", 7, 1, "frame-state", 0)
{
	frames_start();
	force_steal = EVERY;
	ptable_cnt = 0;
	for (uint_t i = 1; i <= 2 * (EVERY + 1); i++) {
		pfn_t pfn = ask(hat);

		check_true((pfn == PFN_INVALID) == (i % (EVERY + 1) == 0), "request %u %s with force_steal %u", i,
		    pfn == PFN_INVALID ? "failed" : "passed", EVERY);
		if (pfn != PFN_INVALID)
			free_frame(pfn);
	}
}

/* ------------------------------------------------------------------ and back */

/* A frame as the reference gets it; the copy under test frees it. */
static pfn_t
frame(void)
{
	pfn_t pfn = ptable_alloc(0);

	check_true(pfn != PFN_INVALID, "no frame for a table");
	return (pfn);
}

static void
is_free(pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);

	check_true(pp->p_state == PAGE_FREE, "frame 0x%lx is still not free: its page is in state %d", pfn, pp->p_state);
	check_true(pp->p_selock == 0, "frame 0x%lx is free, and still locked: p_selock is %d", pfn, (int)pp->p_selock);
}

CHECK(unframe_state, "unframe-state", "ptable_free", 7, 2, NULL, 0)
{
	pfn_t pfn;

	frames_start();
	pfn = frame();
	copy_on(hat);
	ptable_free(pfn);
	copy_off();
	put_counts_back();
	is_free(pfn);
	check_eq(freemem, before.free, "free pages after a frame was taken and given back");
}

CHECK(unframe_counts, "unframe-counts", "ptable_free", 7, 2, "unframe-state", 0)
{
	uint32_t active;
	ulong_t frees;
	pfn_t pfn;

	frames_start();
	pfn = frame();
	copy_on(hat);
	ptable_free(pfn);
	copy_off();
	active = active_ptables;
	frees = hatstat.hs_ptable_frees - before.frees;
	put_counts_back();
	check_eq(active, before.active, "active_ptables after a frame was taken and given back");
	check_eq(frees, 1, "hs_ptable_frees, how many more after one frame");
	check_eq(availrmem, before.resv, "pages that may be reserved, after a frame was taken and given back");
}

/** Somebody who looks at the page of a table for a while. */
static struct {
	page_t	*pp;
	bool	slept, freed;
} look;

static void
look_a_while(void)
{
	look.slept = other_sees_sleep(20);
	look.freed = look.pp->p_state == PAGE_FREE;
	page_unlock(look.pp);
}

CHECK(unframe_shared, "unframe-shared", "ptable_free", 7, 3, "unframe-state", 0)
{
	pfn_t pfn;

	frames_start();
	pfn = frame();
	look.pp = page_numtopp_nolock(pfn);
	check_true(page_trylock(look.pp, false), "a table's frame cannot be looked at");
	other_start(look_a_while);
	copy_on(hat);
	ptable_free(pfn);
	copy_off();
	put_counts_back();
	check_true(look.pp->p_state == PAGE_FREE, "frame 0x%lx was not freed, because somebody else held its page for a while", pfn);
	other_join();
	check_true(!look.freed, "frame 0x%lx was freed while somebody else held its page", pfn);
	check_true(look.slept, "somebody else held the page for 20 ticks, and ptable_free() did not sleep until he let go");
	is_free(pfn);
}

static void
free_nothing(void *arg)
{
	ptable_free(*(pfn_t *)arg);
}

CHECK(unframe_no_page, "unframe-no-page", "ptable_free", 7, 1, NULL, 0)
{
	pfn_t pfn = 0xfffffu - (pfn_t)check_random(16);
	char text[160] = "";
	bool stopped;

	frames_start();
	copy_on(hat);
	stopped = check_panics(free_nothing, &pfn, text, sizeof (text));
	copy_off();
	put_counts_back();
	check_true(stopped, "frame 0x%lx, which is no memory, was freed without a word", pfn);
	check_note("the panic: %s", text);
}

/* ------------------------------------------------------------------ no table can be had */

#define PLENTY	40	/* cached tables: more than the reaper takes that is asked for meanwhile */

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
	ulong_t		throttle;
	hat_t		*rich;
	page_t		*pp;
	volatile bool	enough, too_late;
} relief;

#define SHORT	10	/* ticks without memory */
#define LATE	30	/* ticks with memory that is not used */

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
	stopped = check_panics(fall_back, hat, text, sizeof (text));
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

static uint32_t pretended;	/* so many tables more than there are */

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

static uint_t
reap(hat_t *hat, hat_t *rich)
{
	uint_t had = cached(rich);

	copy_on(hat);
	htable_reap(NULL);
	copy_off();
	return (had - cached(rich));
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
		check_true(have == want, "%u tables taken, want %u: there were %u, and %lu pages of memory", have, want, many, physmem);
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
	uint_t want;

	reaper_start();
	want = reap_amount();
	htable_reserve_amount = htable_reserve_cnt + 2 * want;	/* objects go there: nothing but frames changes freemem */
	note_counts();
	(void)reap(hat, rich);
	check_eq(before.active - active_ptables, want, "active_ptables, how many less after a reap");
	check_eq(freemem - before.free, want, "pages that became free");
	check_eq(availrmem - before.resv, want, "pages that may be reserved again");
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

#define SURPLUS	6u

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
