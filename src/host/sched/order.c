/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: which accesses of a run came before which, and where that matters.
 *
 * A place matters when two CPUs use it, one of them changes it, and nothing else says who comes first [vector clocks: Lamport, Mattern].
 * Accesses there, and uses of locks, are events. Two runs with the same events in the same order at each place lead to the same
 * state: their hash is the same [Mazurkiewicz traces].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "search.h"

#define CELLS   0x10000u
#define CELL    4u    /**< bytes of a place */
#define PAGE    4096u /**< of a frame: a place too, for who changes all of it */
#define ODD     1u    /**< a key that no place of CELL bytes has: a frame's */
#define IGNORED 8

/** A place. */
struct cell {
	uintptr_t at;               /* key: its address, or ODD more for a frame */
	uint32_t run;               /* what follows is of this run */
	uint32_t wrote[SCHED_CPUS]; /* clocks: of the last write, */
	uint32_t read[SCHED_CPUS];  /* and of the reads since */
	uint64_t write_hash, reads_hash;
	uint8_t users; /* who has used it as a lock */
	bool matters;  /* in all runs */
};

static struct {
	struct cell cell[CELLS];
	uint32_t run;
	unsigned ncpus, places, used;
	unsigned long events[SCHED_CPUS];
	uint64_t hash;
	bool grown;
	struct {
		uintptr_t at;
		size_t size;
	} ignored[IGNORED];
	unsigned nignored;
} * my;

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdull;
	return (h ^ (h >> 32));
}

static struct cell *
cell_of(uintptr_t key)
{
	uint32_t h = (uint32_t)(((uint64_t)key * 0x9e3779b97f4a7c15ull) >> 40) % CELLS;
	struct cell *c = &my->cell[h];

	while (c->at != key && c->at != 0) {
		h = (h + 1) % CELLS;
		c = &my->cell[h];
	}
	if (c->at == 0 && ++my->used > CELLS / 2) {
		fprintf(stderr, "sched: a scenario uses too many places\n");
		exit(2);
	}
	c->at = key;
	if (c->run != my->run) {
		memset(c->wrote, 0, sizeof(c->wrote));
		memset(c->read, 0, sizeof(c->read));
		c->write_hash = c->reads_hash = c->users = 0;
		c->run = my->run;
	}
	return (c);
}

void
sched_ignore(const volatile void *what, unsigned long size)
{
	if (my == NULL)
		my = calloc(1, sizeof(*my));
	if (my == NULL || my->nignored == IGNORED)
		abort();
	my->ignored[my->nignored].at = (uintptr_t)what;
	my->ignored[my->nignored++].size = size;
}

/** The places of some bytes: one for each CELL, or, for whole frames, one for each of them; a frame's entry is part of its frame. */
struct places {
	uintptr_t next, end, step, frame;
};

static struct places
places_of(uintptr_t a, size_t n)
{
	uintptr_t step = n >= PAGE / 8 && memory_is_frame(a) ? PAGE : CELL;
	uintptr_t odd = step == PAGE ? ODD : 0;

	return (
	    (struct places){ (a & -step) + odd, a + n, step, odd == 0 && memory_is_frame(a) ? (a & -(uintptr_t)PAGE) + ODD : 0 });
}

/** @return NULL: that was all. `whole`: it is not the place itself, but the frame that it is in: others change that, we do not */
static struct cell *
next_place(struct places *p, bool *whole)
{
	uintptr_t key = p->next;

	*whole = false;
	if (key < p->end) {
		p->next += p->step;
		return (cell_of(key));
	}
	key = p->frame;
	p->frame = 0;
	*whole = true;
	return (key == 0 ? NULL : cell_of(key));
}

static bool
is_ignored(uintptr_t a)
{
	for (unsigned i = 0; i < my->nignored; i++)
		if (a - my->ignored[i].at < my->ignored[i].size)
			return (true);
	return (false);
}

void
order_begin(unsigned ncpus)
{
	if (my == NULL)
		my = calloc(1, sizeof(*my));
	if (my == NULL)
		abort();
	my->run++;
	my->ncpus = ncpus;
	my->hash = 0;
	memset(my->events, 0, sizeof(my->events));
	for (unsigned i = 0; i < ncpus; i++)
		task[i].clock[i] = 1;
}

/* ------------------------------------------------------------------ events */

static void
learn(uint32_t *mine, const uint32_t *others)
{
	for (unsigned i = 0; i < my->ncpus; i++)
		if (mine[i] < others[i])
			mine[i] = others[i];
}

/** One place of an event: what the CPU learns there. */
static uint64_t
meet(struct cell *c, bool write)
{
	learn(running->clock, c->wrote);
	if (write)
		learn(running->clock, c->read);
	return (mix(c->at, write ? mix(c->write_hash, c->reads_hash) : c->write_hash));
}

/** And what others will learn there. */
static void
leave(struct cell *c, bool write, uint64_t h)
{
	if (write) {
		memcpy(c->wrote, running->clock, sizeof(c->wrote));
		memset(c->read, 0, sizeof(c->read));
		c->write_hash = h;
		c->reads_hash = 0;
	} else {
		learn(c->read, running->clock);
		c->reads_hash += h; /* reads of one value: in any order */
	}
}

static void
event(uintptr_t a, size_t n, bool write)
{
	struct task *t = running;
	uint64_t h = mix(t->hash, (uint64_t)t->id + 1 + 16 * write);
	struct places p = places_of(a, n);
	struct cell *c;
	bool whole;

	while ((c = next_place(&p, &whole)) != NULL)
		if (!whole || c->matters)
			h = mix(h, meet(c, write && !whole));
	t->hash = h;
	my->hash += h;
	my->events[t->id]++;
	p = places_of(a, n);
	while ((c = next_place(&p, &whole)) != NULL)
		if (!whole || c->matters)
			leave(c, write && !whole, h);
	t->clock[t->id]++;
}

static void
note(struct cell *c)
{
	if (c->matters)
		return;
	c->matters = true;
	my->places++;
	my->grown = true;
}

void
order_sync(uintptr_t a, bool write)
{
	struct cell *c = cell_of(a & -(uintptr_t)CELL);

	c->users |= (uint8_t)(1u << running->id);
	if ((c->users & (c->users - 1)) != 0)
		note(c);
	if (c->matters)
		event(a, 1, write);
}

void
order_end(void)
{
	running->hash = mix(running->hash, 0xe0d);
	my->hash += running->hash;
}

/* ------------------------------------------------------------------ races */

/** Has another CPU used it, without our knowing that it came before us? */
static bool
unordered(const uint32_t *theirs)
{
	for (unsigned i = 0; i < my->ncpus; i++)
		if ((int)i != running->id && theirs[i] > running->clock[i])
			return (true);
	return (false);
}

static void
watch(struct cell *c, bool write)
{
	uint32_t *now = write ? c->wrote : c->read;

	if (unordered(c->wrote) || (write && unordered(c->read)))
		note(c);
	now[running->id] = running->clock[running->id];
}

bool
order_matters(uintptr_t a, size_t n)
{
	struct places p = places_of(a, n);
	struct cell *c;
	bool whole;

	while ((c = next_place(&p, &whole)) != NULL)
		if (c->matters)
			return (true);
	return (false);
}

void
order_access(uintptr_t a, size_t n, bool write)
{
	struct places p = places_of(a, n);
	struct cell *c;
	bool whole, matters;

	if (is_ignored(a))
		return;
	matters = order_matters(a, n);
	while ((c = next_place(&p, &whole)) != NULL) /* before it is an event, from which the CPU learns */
		if (!c->matters)
			watch(c, write && !whole);
	if (matters)
		event(a, n, write);
}

bool
order_grown(void)
{
	bool grown = my->grown;

	my->grown = false;
	return (grown);
}

uint64_t
order_hash(void)
{
	return (my->hash);
}

unsigned
order_places(void)
{
	return (my->places);
}

unsigned long
order_events(int other_than)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < my->ncpus; i++)
		if ((int)i != other_than)
			n += my->events[i];
	return (n);
}
