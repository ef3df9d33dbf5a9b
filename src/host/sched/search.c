/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: all schedules of a scenario, those with few preemptions first.
 *
 * A schedule is a list of decisions: at this access, that CPU goes on. Runs start from the same state, follow the decisions of one
 * list, and then let each CPU go on as long as it can; at each event on their way, "and if another CPU went on here?" becomes
 * a list of its own, with one preemption more, to be run later [Musuvathi, Qadeer: iterative context bounding]. A run ends early where it comes to
 * a state, and a CPU whose turn it is, that have been met before with as few preemptions (order.c: the same events in the
 * same order at each place). Where the running CPU cannot go on, another one costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../machine.h"
#include "options.h"
#include "search.h"

#define MAX_BOUND    8u
#define MAX_SWITCHES 400u
#define MAX_EVENTS   20000u /**< of one run: more, and it does not end */
#define NOBODY       0xffu

/** One decision more than its parent's list has. */
struct plan {
	uint32_t parent; /* 0: none */
	uint32_t count;  /* after so many accesses of that CPU ... */
	uint8_t from;    /* ... or NOBODY: who begins */
	uint8_t to;
	uint8_t cost; /* preemptions up to here */
	uint64_t key;
};

/** How a run went. */
struct course {
	unsigned nswitches;
	char text[512]; /* what was wrong */
	struct switched s[MAX_SWITCHES];
};

unsigned search_atomic;

/* Not among what is put back. */
static struct {
	unsigned ncpus;
	void (*judge)(void);
	/* plans, and those to be run, by cost */
	struct plan *plan;
	uint32_t nplans, maxplans;
	uint32_t *todo[MAX_BOUND + 2], ntodo[MAX_BOUND + 2], maxtodo[MAX_BOUND + 2];
	struct set states; /* with the CPU whose turn it is */
	struct set judged; /* ends that have been found right */
	struct set orders; /* ends that differ in who came first somewhere */
	/* the run */
	struct plan follow[MAX_SWITCHES];
	unsigned nfollow, done; /* decisions, and those already taken */
	uint32_t current;       /* the plan that is followed: parent of what is found on the way */
	uint8_t cost;
	uint64_t fresh; /* key of the state that the plan is about, or that has just been chosen */
	bool pruned, failed;
	unsigned long schedules, complete, points, most_points;
	struct course now;
} * my;

static void *
bigger(void *p, uint32_t *max, size_t size)
{
	*max = *max == 0 ? 1024 : 2 * *max;
	p = realloc(p, *max * size);
	if (p == NULL) {
		fprintf(stderr, "sched: no memory for more schedules\n");
		exit(2);
	}
	return (p);
}

/* ------------------------------------------------------------------ plans */

/** A state, and whose turn it is. */
static uint64_t
key_of(int cpu)
{
	uint64_t k = (order_hash() + (unsigned)cpu + 1) * 0x9e3779b97f4a7c15ull;

	k ^= k >> 29;
	return (k == 0 ? 1 : k);
}

/** And if CPU `to` went on here? */
static void
propose(uint8_t from, uint32_t count, int to, uint8_t cost)
{
	uint64_t key = key_of(to);
	struct plan *p;

	if (cost > options.bound || (set_met(&my->states, key, cost) && !options.every))
		return;
	if (my->nplans == my->maxplans)
		my->plan = bigger(my->plan, &my->maxplans, sizeof(struct plan));
	if (my->ntodo[cost] == my->maxtodo[cost])
		my->todo[cost] = bigger(my->todo[cost], &my->maxtodo[cost], sizeof(uint32_t));
	p = &my->plan[my->nplans];
	*p = (struct plan){ .parent = my->current, .count = count, .from = from, .to = (uint8_t)to, .cost = cost, .key = key };
	my->todo[cost][my->ntodo[cost]++] = my->nplans++;
}

/** Is the next decision about this CPU, here? */
static bool
decided(uint8_t from, uint32_t count)
{
	const struct plan *d = &my->follow[my->done];

	return (my->done < my->nfollow && d->from == from && d->count == count);
}

static bool
exploring(void)
{
	return (my->done == my->nfollow && !options.replay);
}

static int
take_decision(void)
{
	const struct plan *d = &my->follow[my->done++];

	my->fresh = key_of(d->to);
	return (d->to);
}

/* ------------------------------------------------------------------ a run */

static bool
can_run(struct task *t)
{
	bool yes;
	struct task *was = running;

	if (t->done)
		return (false);
	if (t->ready == NULL)
		return (true);
	running = NULL; /* the question is nobody's access */
	yes = t->ready(t->what);
	running = was;
	return (yes);
}

static void
end_run(void)
{
	task_switch(NULL);
	abort();
}

void
search_fail(const char *text)
{
	my->failed = true;
	snprintf(my->now.text, sizeof(my->now.text), "%s", text);
	if (running == NULL)
		machine_stop(text);
	my->now.s[my->now.nswitches] =
	    (struct switched){ .from = running->id, .to = -1, .count = running->count, .why = "ends here, wrongly" };
	my->now.s[my->now.nswitches].nframes = task_trace(my->now.s[my->now.nswitches].pc, FRAMES);
	my->now.nswitches++;
	task_switch(NULL);
	abort();
}

static void
go_on(struct task *to, const char *why, uintptr_t at)
{
	struct switched *s = &my->now.s[my->now.nswitches++];

	if (my->now.nswitches >= MAX_SWITCHES - 1)
		search_fail("so many switches: this does not end");
	s->from = running == NULL ? -1 : running->id;
	s->to = to->id;
	s->count = running == NULL ? 0 : running->count;
	s->why = why;
	s->at = at;
	s->nframes = task_trace(s->pc, FRAMES);
	task_switch(to);
}

static void
prune(void)
{
	my->pruned = true;
	end_run();
}

static const char *
who_waits(void)
{
	static char text[400];
	size_t n = (size_t)snprintf(text, sizeof(text), "deadlock:");
	bool asleep = false;

	for (unsigned i = 0; i < my->ncpus; i++)
		if (!task[i].done) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, " CPU %u waits for %s;", i, task[i].why);
			asleep = asleep || strstr(task[i].why, "condition") != NULL;
		}
	snprintf(text + n, sizeof(text) - n, asleep ? " a wake-up is lost" : " nobody can go on");
	return (text);
}

/** The running CPU (NULL: nobody yet) cannot go on: each of the others may. */
static void
choose(const char *why, uintptr_t at)
{
	uint8_t from = running == NULL ? NOBODY : (uint8_t)running->id;
	uint32_t count = running == NULL ? 0 : running->count;
	int first = -1;
	unsigned finished = 0;

	for (unsigned i = 0; i < my->ncpus; i++)
		finished += task[i].done;
	if (finished == my->ncpus)
		end_run();
	for (int i = (int)my->ncpus - 1; i >= 0; i--)
		if (&task[i] != running && can_run(&task[i]))
			first = i;
	if (first < 0)
		search_fail(who_waits());
	if (decided(from, count))
		first = take_decision();
	else if (exploring()) {
		for (int i = first + 1; i < (int)my->ncpus; i++)
			if (&task[i] != running && can_run(&task[i]))
				propose(from, count, i, my->cost);
		if (set_met(&my->states, key_of(first), my->cost) && !options.every)
			prune();
		my->fresh = key_of(first);
	}
	go_on(&task[first], why, at);
}

static void
ended(void)
{
	order_end();
	running->count++; /* no access has this number: decisions here are no preemptions */
	choose("is done", 0);
}

/** Where others may come first: follow the decisions, or note what they would do. */
void
search_point(uintptr_t a, bool matters)
{
	struct task *me = running;

	while (search_atomic == 0) {
		if (decided((uint8_t)me->id, me->count)) {
			go_on(&task[take_decision()], NULL, a);
			continue;
		}
		if (order_events(-1) > MAX_EVENTS)
			search_fail("so many events: this does not end");
		if (!matters || !exploring())
			return;
		my->points++;
		if (key_of(me->id) != my->fresh && set_met(&my->states, key_of(me->id), my->cost) && !options.every)
			prune();
		for (unsigned i = 0; i < my->ncpus; i++)
			if (&task[i] != me && can_run(&task[i]))
				propose((uint8_t)me->id, me->count, (int)i, (uint8_t)(my->cost + 1));
		return;
	}
}

/* ------------------------------------------------------------------ what the pretend machine says */

int
sched_me(void)
{
	return (running == NULL ? -1 : running->id);
}

void
sched_before(const volatile void *what)
{
	uintptr_t a;

	if (running == NULL)
		return;
	a = memory_place((uintptr_t)what);
	running->count++;
	search_point(a, order_matters(a, 1));
	if (memory_wrong(a, 1) != NULL) /* as whoever came first has left it */
		search_fail(memory_wrong(a, 1));
}

void
sched_after(const volatile void *what)
{
	if (running == NULL)
		return;
	race_sync(memory_place((uintptr_t)what));
	order_sync(memory_place((uintptr_t)what), true);
}

void
sched_reads(const volatile void *what)
{
	if (running == NULL)
		return;
	sched_before(what);
	(void)race_access(memory_place((uintptr_t)what), 1, false, true);
	order_access(memory_place((uintptr_t)what), 1, false);
}

/** Whoever uses one of its bytes without knowing whether he comes first uses, in another order, what has gone. */
void
sched_frees(const volatile void *what, unsigned long size)
{
	uintptr_t a;

	if (running == NULL)
		return;
	a = memory_place((uintptr_t)what);
	running->count++;
	search_point(a, order_matters(a, size));
	order_access(a, size, true);
}

void
sched_wait(_Bool (*ready)(const void *), const void *what, const char *why)
{
	struct task *me = running;

	if (me == NULL)
		machine_stop("somebody must wait while the world is made or judged");
	me->ready = ready;
	me->what = what;
	me->why = why;
	if (search_atomic > 0)
		search_fail("an interrupt handler waits");
	if (!can_run(me)) {
		me->count++; /* likewise */
		choose(why, (uintptr_t)what);
	}
	me->ready = NULL;
}

/** By whoever calls: it is the others that must not come in between. */
void
sched_interrupt(int id, const void *cpu, void (*handler)(void *), void *arg)
{
	if (running != NULL && id != running->id) {
		sched_before(cpu);
		while (!scene_takes_interrupts(cpu))
			sched_wait(scene_takes_interrupts, cpu, "a CPU to take interrupts");
		sched_after(cpu);
	}
	search_atomic++;
	if (running != NULL)
		race_interrupt(id);
	handler(arg);
	if (running != NULL)
		race_interrupt(id);
	search_atomic--;
}

unsigned long
sched_done_by_others(int me)
{
	return (order_events(me));
}

/* ------------------------------------------------------------------ the search */

static void
on_stop(const char *text)
{
	if (running != NULL)
		search_fail(text);
}

static void
judge_it(void *arg)
{
	(void)arg;
	my->judge();
}

/** The decisions of a plan, first one first. */
static void
follow(uint32_t plan)
{
	unsigned n = 0;

	for (uint32_t p = plan; p != 0; p = my->plan[p].parent)
		n++;
	if (n > MAX_SWITCHES)
		abort();
	my->nfollow = n;
	for (uint32_t p = plan; p != 0; p = my->plan[p].parent)
		my->follow[--n] = my->plan[p];
	my->current = plan;
	my->cost = my->plan[plan].cost;
}

/** One run. @return it went wrong */
static bool
run(void (*cpu_runs)(int))
{
	my->done = 0;
	my->pruned = my->failed = false;
	my->fresh = 0;
	my->points = 0;
	my->now.nswitches = 0;
	search_atomic = 0;
	tasks_begin(my->ncpus, cpu_runs, ended);
	order_begin(my->ncpus);
	race_begin();
	choose("begins", 0);
	running = NULL;
	if (!my->failed && !my->pruned) {
		my->complete++;
		(void)set_met(&my->orders, order_hash(), 0);
		if (!set_met(&my->judged, memory_state(), 0))
			my->failed = machine_try(judge_it, NULL, my->now.text, sizeof(my->now.text)) != 0;
		if (my->failed)
			set_forget(&my->judged);
	}
	if (my->points > my->most_points)
		my->most_points = my->points;
	if (!my->failed && my->done != my->nfollow) {
		fprintf(stderr, "sched: the schedule does not fit: of %u switches %u were made\n", my->nfollow, my->done);
		exit(2);
	}
	memory_restore();
	return (my->failed);
}

static void
start_again(void)
{
	set_forget(&my->states);
	set_forget(&my->orders);
	my->nplans = 1; /* 0 is nobody's parent */
	if (my->plan == NULL)
		my->plan = bigger(NULL, &my->maxplans, sizeof(struct plan));
	memset(&my->plan[0], 0, sizeof(my->plan[0]));
	memset(my->ntodo, 0, sizeof(my->ntodo));
	my->schedules = my->complete = my->most_points = 0;
	my->current = 0;
	my->cost = 0;
}

/** A schedule as it is given to --switches. */
static void
print_switches(const struct plan *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (d[i].from == NOBODY)
			printf("%sstart>%u", i > 0 ? "," : "", d[i].to);
		else
			printf("%s%u@%u>%u", i > 0 ? "," : "", d[i].from, d[i].count, d[i].to);
	if (n == 0)
		printf("none");
}

/** The switches of the run; of a race both sides, for which the run is made again. */
static void
report_run(void (*cpu_runs)(int))
{
	if (race_found()) {
		options.every = 1; /* to its end, although it is known */
		(void)run(cpu_runs);
	}
	report_switches(my->now.s, my->now.nswitches);
	if (race_found())
		report_switches(race_first(), 1);
}

static void
report(const char *name, const char *what, void (*cpu_runs)(int))
{
	printf("%s %s: schedule %lu, %u preemption%s: %s\n", options.flavor, name, my->schedules, my->cost,
	    my->cost == 1 ? "" : "s", what);
	report_run(cpu_runs);
	printf("repeat it with:\n  %s --scenario %s%s%s%s --switches '", options.program, name,
	    options.plant != NULL ? " --plant " : "", options.plant != NULL ? options.plant : "",
	    options.races ? "" : " --races 0");
	print_switches(my->follow, my->nfollow);
	printf("'\n");
}

/** All plans, cheapest first. @return the first one that goes wrong: 1, and it is in `now`; 0: none; -1: begin again */
static int
all_plans(const char *name, void (*cpu_runs)(int))
{
	uint32_t plan = 0;

	for (unsigned cost = 0; cost <= options.bound;) {
		bool bad;

		follow(plan);
		my->schedules++;
		bad = run(cpu_runs);
		if (order_grown())
			return (-1);
		if (my->schedules == options.schedule) {
			report(name, bad ? my->now.text : my->pruned ? "goes on as an earlier one" : "all is well", cpu_runs);
			exit(bad);
		}
		if (bad && options.schedule == 0)
			return (1);
		do {
			while (cost <= options.bound && my->ntodo[cost] == 0)
				cost++;
			if (cost > options.bound)
				return (0);
			plan = my->todo[cost][--my->ntodo[cost]];
		} while (!options.every && set_cost(&my->states, my->plan[plan].key) < cost); /* met meanwhile, with fewer */
	}
	return (0);
}

static void
replay(const char *name, void (*cpu_runs)(int))
{
	const char *s = options.replay;
	unsigned n = 0;

	while (*s != '\0' && strcmp(s, "none") != 0) {
		unsigned from = NOBODY, count = 0, to, used = 0;

		if (sscanf(s, "start>%u%n", &to, &used) != 1 && sscanf(s, "%u@%u>%u%n", &from, &count, &to, &used) != 3)
			break;
		my->follow[n++] = (struct plan){ .from = (uint8_t)from, .count = count, .to = (uint8_t)to };
		s += used;
		if (*s == ',')
			s++;
	}
	if ((*s != '\0' && strcmp(s, "none") != 0) || n >= MAX_SWITCHES) {
		fprintf(stderr, "sched: --switches: \"%s\" is not CPU@count>CPU\n", s);
		exit(2);
	}
	my->nfollow = n;
	if (run(cpu_runs)) {
		printf("%s %s: %s\n", options.flavor, name, my->now.text);
	} else {
		printf("%s %s: all is well\n", options.flavor, name);
	}
	report_run(cpu_runs);
	exit(my->failed);
}

int
sched_explore(const char *name, unsigned ncpus, void (*cpu_runs)(int id), void (*judge)(void))
{
	unsigned again = 0;
	int bad;

	my = calloc(1, sizeof(*my));
	if (my == NULL)
		abort();
	my->ncpus = ncpus;
	my->judge = judge;
	machine_stopped = on_stop;
	memory_begin();
	start_again();
	if (options.replay != NULL)
		replay(name, cpu_runs);
	while ((bad = all_plans(name, cpu_runs)) < 0) {
		again++;
		start_again();
	}
	if (bad) {
		report(name, my->now.text, cpu_runs);
		return (1);
	}
	printf(
	    "%s %s: all %lu schedules of %u CPUs with at most %u preemptions, %lu of them to the end, in %lu orders; at most %lu points, %u places (found "
	    "in %u turns)\n",
	    options.flavor, name, my->schedules, ncpus, options.bound, my->complete, (unsigned long)my->orders.n, my->most_points,
	    order_places(), again + 1);
	return (0);
}
