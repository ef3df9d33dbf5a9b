/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 7: frames for tables.
 */
#include <labs/lab7-running-out/checks.h>

/* ------------------------------------------------------------------ frames, one by one */

/** The counts that frames change. A copy that miscounts frames of nobody's harms nobody: they are put back. */
static struct {
	ulong_t free, resv, allocs, frees;
	uint32_t active;
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

#define EVERY 3 /* force_steal: three requests pass, and the next one fails */

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
	page_t *pp;
	bool slept, freed;
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
	check_true(
	    look.pp->p_state == PAGE_FREE, "frame 0x%lx was not freed, because somebody else held its page for a while", pfn);
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
	stopped = check_panics(free_nothing, &pfn, text, sizeof(text));
	copy_off();
	put_counts_back();
	check_true(stopped, "frame 0x%lx, which is no memory, was freed without a word", pfn);
	check_note("the panic: %s", text);
}
