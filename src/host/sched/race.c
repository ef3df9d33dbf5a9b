/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: data races: two CPUs use one byte, one of them changes it, one of them neither volatile nor by an atomic operation, and
 * neither a lock nor an atomic operation says who comes first. What the language then promises is nothing [C11 5.1.2.4].
 *
 * Vector clocks again (order.c), but here only locks, interrupts, volatile and atomic accesses make one CPU know of another's past.
 * So a race is found in each schedule that has both accesses, however far apart they are in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "options.h"
#include "search.h"

#define CELLS 0x8000u
#define CELL  8u
#define BIG   512u /**< tables are cleared and copied while nobody else has them: judged by what they are used for */

enum { READS, WRITES, ATOMIC_READS, ATOMIC_WRITES, KINDS };

/** When one CPU last used each byte of a cell, in which way; and when last at all. */
struct uses {
	uint16_t at[KINDS][CELL];
	uint16_t last;
};

/** Some bytes. */
struct cell {
	uintptr_t at;
	uint32_t run;               /* what follows is of this run */
	uint8_t users;              /* a bit for each CPU whose uses[] are */
	uint8_t hinted;             /* in all runs: a bit for each byte that is left alone */
	uint16_t known[SCHED_CPUS]; /* to who takes it as a lock, or reads what was stored there atomically */
	struct uses uses[SCHED_CPUS];
};

/**
 * With what kind of use an access clashes. Read as an atomic, what is changed under a lock is a hint; whoever changes it must be
 * ordered with all others who do.
 */
static const bool clash[2][2][KINDS] = {
	{ { [WRITES] = true, [ATOMIC_WRITES] = true }, { false } }, /* reads: plain, atomic */
	{ { [READS] = true, [WRITES] = true, [ATOMIC_WRITES] = true }, { [READS] = true, [WRITES] = true } }, /* writes */
};

static struct {
	struct cell cell[CELLS];
	uint32_t run;
	unsigned used;
	uint16_t clock[SCHED_CPUS][SCHED_CPUS]; /* what each knows of the others, and its own time */
	uintptr_t at; /* the race that was found: which byte, who was there first, and his last use of it */
	int first;
	struct switched use;
} * my;

static void
make(void)
{
	if (my == NULL)
		my = calloc(1, sizeof(*my));
	if (my == NULL)
		abort();
}

static struct cell *
cell_of(uintptr_t at)
{
	uint32_t h = (uint32_t)(((uint64_t)at * 0x9e3779b97f4a7c15ull) >> 40) % CELLS;
	struct cell *c = &my->cell[h];

	while (c->at != at && c->at != 0) {
		h = (h + 1) % CELLS;
		c = &my->cell[h];
	}
	if (c->at == 0 && ++my->used > CELLS / 2) {
		fprintf(stderr, "sched: a scenario uses too much memory to look for races in it\n");
		exit(2);
	}
	c->at = at;
	if (c->run != my->run) {
		memset(c->known, 0, sizeof(c->known));
		c->users = 0;
		c->run = my->run;
	}
	return (c);
}

void
race_begin(void)
{
	make();
	my->run++;
	memset(my->clock, 0, sizeof(my->clock));
	for (unsigned i = 0; i < SCHED_CPUS; i++)
		my->clock[i][i] = 1;
}

void
sched_hint(const volatile void *what, unsigned long size)
{
	make();
	for (uintptr_t a = (uintptr_t)what; a < (uintptr_t)what + size; a++)
		cell_of(a & -(uintptr_t)CELL)->hinted |= (uint8_t)(1u << a % CELL);
}

/* ------------------------------------------------------------------ who knows what */

static void
learn(uint16_t *mine, const uint16_t *others)
{
	for (unsigned i = 0; i < SCHED_CPUS; i++)
		if (mine[i] < others[i])
			mine[i] = others[i];
}

static void
pass_on(struct cell *c, bool acquire, bool release)
{
	uint16_t *mine = my->clock[running->id];

	if (acquire)
		learn(mine, c->known);
	if (release) {
		learn(c->known, mine);
		mine[running->id]++;
	}
}

void
race_sync(uintptr_t a)
{
	pass_on(cell_of(a & -(uintptr_t)CELL), true, true);
}

void
race_interrupt(int id)
{
	uint16_t *theirs = my->clock[id], *mine = my->clock[running->id];

	learn(mine, theirs);
	learn(theirs, mine);
	mine[running->id]++;
	theirs[id]++;
}

/* ------------------------------------------------------------------ races */

static const char *
said(int other, bool wrote, uintptr_t a, bool write)
{
	static char text[200];

	my->at = a;
	my->first = other;
	snprintf(text, sizeof(text), "a data race: CPU %d %s %s, CPU %d %s it, and no lock or atomic access is between them", other,
	    wrote ? "has changed" : "has read", memory_name(a), running->id, write ? "changes" : "reads");
	return (text);
}

/** Another CPU has used some of these bytes, and we do not know of its last use: was it one that clashes with ours? */
static const char *
clashes(const struct cell *c, int other, unsigned from, unsigned to, bool write, bool atomic)
{
	unsigned known = my->clock[running->id][other];

	for (unsigned kind = 0; kind < KINDS; kind++)
		for (unsigned byte = from; byte < to && clash[write][atomic][kind]; byte++)
			if (c->uses[other].at[kind][byte] > known && !(c->hinted & 1u << byte))
				return (said(other, kind == WRITES || kind == ATOMIC_WRITES, c->at + byte, write));
	return (NULL);
}

static void
note_use(struct cell *c, unsigned from, unsigned to, unsigned kind)
{
	struct uses *mine = &c->uses[running->id];
	uint16_t now = my->clock[running->id][running->id];

	if (!(c->users & 1u << running->id))
		memset(mine, 0, sizeof(*mine));
	c->users |= (uint8_t)(1u << running->id);
	for (unsigned byte = from; byte < to; byte++)
		mine->at[kind][byte] = now;
	mine->last = now;
}

static const char *
cell_race(struct cell *c, unsigned from, unsigned to, bool write, bool atomic)
{
	const char *wrong = NULL;

	for (int i = 0; i < SCHED_CPUS && wrong == NULL; i++)
		if (i != running->id && (c->users & 1u << i) && c->uses[i].last > my->clock[running->id][i])
			wrong = clashes(c, i, from, to, write, atomic);
	note_use(c, from, to, (atomic ? ATOMIC_READS : READS) + write);
	if (atomic)
		pass_on(c, true, write);
	return (wrong);
}

/** The schedule is run once more: this may be the use that the other one clashes with. */
static void
note_first(void)
{
	my->use =
	    (struct switched){ .from = running->id, .to = -1, .count = running->count, .why = "is the other side of the race" };
	my->use.nframes = task_trace(my->use.pc, FRAMES);
}

bool
race_found(void)
{
	return (my->at != 0);
}

const struct switched *
race_first(void)
{
	return (&my->use);
}

const char *
race_access(uintptr_t a, size_t n, bool write, bool atomic)
{
	const char *wrong = NULL;

	if (n >= BIG || !options.races)
		return (NULL);
	if (my->at - a < n && running->id == my->first)
		note_first();
	for (uintptr_t at = a & -(uintptr_t)CELL; at < a + n && wrong == NULL; at += CELL)
		wrong = cell_race(
		    cell_of(at), at < a ? (unsigned)(a - at) : 0, a + n - at < CELL ? (unsigned)(a + n - at) : CELL, write, atomic);
	return (wrong);
}
