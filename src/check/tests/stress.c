/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The stress test, `stress=N`: N workers call the HAT at random, in address spaces that each has a model (docs/stress.md).
 *
 * They work in rounds. Between two of them nobody is inside the HAT: then one looks whether all invariants hold, whether what the
 * models have is there, and what the next round will be. Thieves are about in every other one. In those between, if nothing
 * fails on purpose, no translation may get lost.
 */
#include "stress_impl.h"
#include <check/invariants.h>
#include <check/stress.h>
#include <hat/hment.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <sys/tunable.h>

static uint64_t nworkers, ops_wanted = 100000, steps_wanted = 1200, page_fail, force_tight;
TUNABLE_NUMBER(nworkers, "stress", "so many workers call the HAT at random; 0: none");
TUNABLE_NUMBER(ops_wanted, "stress_ops", "stress: calls of the HAT, in all");
TUNABLE_NUMBER(steps_wanted, "stress_steps", "stress: steps of each worker between two looks at everything");
TUNABLE_NUMBER(
    page_fail, "stress_page_fail", "stress: page_fail_after, once the kernel is up: let every n-th request for a page fail");
TUNABLE_NUMBER(force_tight, "stress_tight", "stress: page tables can have so many pages more than at the start; 0: all there are");

extern uint64_t check_seed;

static struct worker workers[NWORKERS + 1]; /* the last one is who begins and ends */
static struct worker *const first = &workers[NWORKERS];

static kmutex_t round_lock;
static kcondvar_t round_cv;
static uint_t round, arrived; /* round_lock */
static bool finished;         /* changes between rounds */
static bool warm_up;
static ulong_t nchecks;

static const char *const kind_names[NKINDS] = {
#define STRESS_KIND(id, name) [K_##id] = name,
	STRESS_KINDS(STRESS_KIND)
#undef STRESS_KIND
};

/* ------------------------------------------------------------------ for workers */

void
stress_fail(const struct worker *w, const char *fmt, ...)
{
	char text[220];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panic("stress seed %llu: worker %u, round %u, step %llu: %s", (unsigned long long)check_seed, w->w_id, round,
	    (unsigned long long)w->w_steps, text);
}

/* xorshift64* [Vigna 2016]. */
uint_t
stress_random(struct worker *w, uint_t n)
{
	w->w_random ^= w->w_random >> 12;
	w->w_random ^= w->w_random << 25;
	w->w_random ^= w->w_random >> 27;
	return ((uint32_t)((w->w_random * 0x2545f4914f6cdd1dull) >> 32) % n);
}

void
stress_digest(struct worker *w, uint64_t value)
{
	w->w_digest = (w->w_digest ^ value) * 0x100000001b3ull;
}

static void
worker_init(struct worker *w, uint_t id)
{
	*w = (struct worker){ .w_id = id, .w_random = (check_seed + 1) * 0x9e3779b97f4a7c15ull ^ (id + 1) * 0xbf58476d1ce4e5b9ull };
	if (w->w_random == 0)
		w->w_random = 1;
	for (int i = 0; i < 8; i++)
		(void)stress_random(w, 2);
}

/* ------------------------------------------------------------------ sums */

static uint64_t
ops_of_kind(uint_t kind)
{
	uint64_t n = 0;

	for (uint_t i = 0; i <= NWORKERS; i++)
		n += workers[i].w_ops[kind];
	return (n);
}

static uint64_t
ops_done(void)
{
	uint64_t n = 0;

	for (uint_t k = 0; k < NKINDS; k++)
		n += ops_of_kind(k);
	return (n);
}

static uint64_t
ops_begun(void)
{
	uint64_t n = 0;

	for (uint_t i = 0; i <= NWORKERS; i++)
		n += workers[i].w_begun;
	return (n);
}

/* ------------------------------------------------------------------ rounds */

static bool
on_purpose(void)
{
	return (page_fail_after != 0 || kmem_fail_after != 0 || force_tight != 0 || force_steal > 1);
}

static void
judge(const char *when)
{
	uint64_t page = page_fail_after, kmem = kmem_fail_after, frame = force_steal;
	uint_t broken;

	page_fail_after = kmem_fail_after = force_steal = 0; /* the checker may want more pages in a row than would be given */
	kmem_reap_settle();
	broken = check_invariants();
	page_fail_after = page;
	kmem_fail_after = kmem;
	force_steal = frame;
	nchecks++;
	if (broken != 0)
		stress_fail(first, "%u broken invariants %s", broken, when);
}

/* Nobody else runs. The invariants come first: everything else is only as they let it be. */
static void
between_rounds(void)
{
	judge("between two rounds");
	for (uint_t i = 0; i < NSPACES; i++)
		if (spaces[i].sp_hat != NULL)
			space_settle(first, &spaces[i]);
	if (stress_random(first, 4) == 0)
		groups_demote(first);
	if (ops_begun() != ops_done())
		stress_fail(
		    first, "%llu operations begun, %llu done", (unsigned long long)ops_begun(), (unsigned long long)ops_done());
	if (!warm_up)
		record("%%stress-round n=%u ops=%llu checks=%lu thieves=%d\n", round, (unsigned long long)ops_done(), nchecks,
		    stress_theft);
	finished = ops_done() >= ops_wanted;
	stress_theft = round % 2 == 0;
	stress_exact = !stress_theft && !on_purpose();
}

/* The last one to arrive looks at everything, while the others sleep. */
static void
wait_for_all(void)
{
	uint_t mine;

	mutex_enter(&round_lock);
	mine = round;
	if (++arrived == nworkers) {
		mutex_exit(&round_lock);
		between_rounds();
		mutex_enter(&round_lock);
		arrived = 0;
		round++;
		cv_broadcast(&round_cv);
	}
	while (round == mine)
		cv_wait(&round_cv, &round_lock);
	mutex_exit(&round_lock);
}

static void
work(void *arg)
{
	struct worker *w = arg;

	while (!finished) {
		for (uint64_t n = 0; n < steps_wanted; n++)
			stress_step(w);
		worker_go_home(w);
		wait_for_all();
	}
}

/* Half of them stay on their CPU, the others go where there is room. */
static void
run_workers(void)
{
	kthread_t *t[NWORKERS];

	for (uint_t i = 0; i < nworkers; i++) {
		cpu_t *c = i < (nworkers + 1) / 2 || i < (uint_t)ncpus ? cpu[i % (uint_t)ncpus] : NULL;

		t[i] = thread_create_on(c, "stress", work, &workers[i]);
	}
	for (uint_t i = 0; i < nworkers; i++)
		thread_join(t[i]);
}

/* ------------------------------------------------------------------ one run */

/** What must be the same at the end as at the start. */
struct memory {
	ulong_t free, resv;
	uint32_t tables;
	size_t objects, records;
};

/*
 * What must not be missing is pages that are neither free nor behind an address of the kernel's heap. The heap keeps some for later:
 * slabs, of which scattered objects of the reserves take more or fewer, the arenas' tags, room for the checker.
 */
static struct memory
memory_now(void)
{
	ulong_t heap;

	for (int i = 0; i < 3; i++) {
		kmem_reap_settle();
		kmem_reap_sync();
		thread_delay(1);
	}
	heap = vmem_inuse(heap_arena) >> PAGESHIFT;
	return ((struct memory){ freemem + heap, availrmem + heap, active_ptables,
	    kmem_cache_inuse(htable_cache) - htable_reserve_cnt, kmem_cache_inuse(hment_cache) - hment_reserve_cnt });
}

/* All of them in one text: what is missing here is often there. */
static void
same(const struct memory *have, const struct memory *want)
{
	if (have->free != want->free || have->resv != want->resv || have->tables != want->tables ||
	    have->objects != want->objects || have->records != want->records)
		stress_fail(first,
		    "at the end (at the start): %lu (%lu) free pages, %lu (%lu) to reserve, %u (%u) tables, "
		    "%lu (%lu) objects, %lu (%lu) records",
		    have->free, want->free, have->resv, want->resv, have->tables, want->tables, (ulong_t)have->objects,
		    (ulong_t)want->objects, (ulong_t)have->records, (ulong_t)want->records);
}

static void
one_run(void)
{
	ulong_t throttle = throttlefree;

	for (uint_t i = 0; i <= NWORKERS; i++)
		worker_init(&workers[i], i);
	round = 0;
	finished = stress_theft = false;
	stress_exact = !on_purpose();
	frames_init();
	for (uint_t i = 0; i < NSPACES; i++)
		space_init(&spaces[i], i % 3 == 2);
	source_make(first);
	if (force_tight != 0 && !warm_up)
		throttlefree = freemem - force_tight; /* the pages to be mapped have been taken by now */
	run_workers();
	throttlefree = throttle;
	for (uint_t i = 0; i < NSPACES; i++)
		if (spaces[i].sp_hat != NULL)
			space_destroy(first, &spaces[i]);
	source_destroy(first);
	judge("after everything was destroyed");
	frames_fini();
}

static void
report(void)
{
	uint64_t total = 0, touches = 0, refaults = 0, faults = 0, skipped = 0, steps = 0;
	struct worker digest = { .w_digest = 0xcbf29ce484222325ull };

	for (uint_t i = 0; i <= NWORKERS; i++) {
		const struct worker *w = &workers[i];

		steps += w->w_steps;
		touches += w->w_touches;
		refaults += w->w_refaults;
		faults += w->w_faults;
		skipped += w->w_skipped;
		stress_digest(&digest, w->w_digest ^ w->w_random ^ w->w_begun);
		stress_digest(&digest, w->w_skipped << 32 ^ w->w_refaults);
	}
	for (uint_t k = 0; k < NKINDS; k++) {
		record("%%stress-count kind=%s value=%llu\n", kind_names[k], (unsigned long long)ops_of_kind(k));
		total += ops_of_kind(k);
	}
	record("%%stress-end seed=%llu ops=%llu begun=%llu checks=%lu rounds=%u steps=%llu skipped=%llu touches=%llu faults=%llu "
	       "refaults=%llu digest=0x%016llx\n",
	    (unsigned long long)check_seed, (unsigned long long)total, (unsigned long long)ops_begun(), nchecks, round,
	    (unsigned long long)steps, (unsigned long long)skipped, (unsigned long long)touches, (unsigned long long)faults,
	    (unsigned long long)refaults, (unsigned long long)digest.w_digest);
}

bool
stress_wanted(void)
{
	return (nworkers != 0);
}

/* Threads, slabs and tables that are kept for later are made by a first, short run. */
void
stress_main(void)
{
	uint64_t ops = ops_wanted;
	struct memory start, end;

	if (nworkers > NWORKERS)
		panic("stress: at most %u workers", NWORKERS);
	nworkers = MAX(nworkers, (uint64_t)ncpus);
	record("%%stress-begin seed=%llu workers=%llu cpus=%d ops=%llu\n", (unsigned long long)check_seed,
	    (unsigned long long)nworkers, ncpus, (unsigned long long)ops);
	page_fail_after = page_fail;
	stress_tight = force_tight != 0;
	ops_wanted = 1;
	warm_up = true;
	one_run();
	warm_up = false;
	nchecks = 0;
	start = memory_now();
	ops_wanted = ops;
	one_run();
	end = memory_now();
	same(&end, &start);
	judge("at the end");
	report();
}
