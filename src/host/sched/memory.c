/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: kernel objects, each once in a run and never again; and everything that a run has changed, put back.
 *
 * Each CPU has its own part to allocate from: objects then have the same addresses whoever asks first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "../machine.h"
#include "search.h"

#define PART      0x400000ul /**< for one CPU; the first one is for the start-up */
#define PARTS     (SCHED_CPUS + 1)
#define HEAP      0x60000000ul /**< the same in each process: hashes depend on it, and reports show it */
#define UNIT      16u          /**< of memory whose state is known */
#define LINE      32u          /**< what is put back at a time: no more than an array of ours is aligned to */
#define MAX_LINES 0x20000u
#define SLOTS     (4 * MAX_LINES)
#define WINDOWS   2048u

enum { NEVER, LIVE, FREED };

struct line {
	uintptr_t at;
	unsigned char was[LINE];
};

/* Not among what is put back. */
static struct {
	unsigned char *heap;
	uint8_t *state; /* of each unit of the heap */
	uint32_t *size; /* where an object begins: its units */
	unsigned long used[PARTS], base_used;
	struct line *line;
	unsigned nlines;
	uint32_t *slot, *slot_run, run; /* hash table of lines */
	uintptr_t windows;
	struct {
		unsigned long long pa, base_pa;
		int access, base_access;
		bool moved;
	} window[WINDOWS];
	unsigned moved[WINDOWS], nmoved;
	uintptr_t linear, memory, memory_end;
	bool saving;
} * my;

static void *
get(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("sched: memory");
		exit(2);
	}
	return (p);
}

static void
make_heap(void)
{
	my = get(sizeof(*my));
	my->heap = mmap((void *)HEAP, PARTS * PART, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (my->heap != (unsigned char *)HEAP) {
		perror("sched: kernel objects");
		exit(2);
	}
	my->state = get(PARTS * PART / UNIT);
	my->size = get(PARTS * PART / UNIT * sizeof(uint32_t));
	my->line = get(MAX_LINES * sizeof(struct line));
	my->slot = get(SLOTS * sizeof(uint32_t));
	my->slot_run = get(SLOTS * sizeof(uint32_t));
}

/* ------------------------------------------------------------------ objects */

void *
machine_alloc(unsigned long size, unsigned long align)
{
	unsigned part = (unsigned)(sched_me() + 1);
	unsigned long at, units = (size + UNIT - 1) / UNIT;

	if (my == NULL)
		make_heap();
	at = (my->used[part] + 2 * UNIT + align) & -(align < UNIT ? UNIT : align); /* what lies between is nobody's */
	if (at + units * UNIT > PART) {
		fprintf(stderr, "sched: a scenario uses too much memory\n");
		exit(2);
	}
	my->used[part] = at + units * UNIT;
	at += part * PART;
	memory_save((uintptr_t)&my->state[at / UNIT], units);
	memset(&my->state[at / UNIT], LIVE, units);
	my->size[at / UNIT] = (uint32_t)units;
	return (my->heap + at);
}

void
machine_free(void *p)
{
	unsigned long unit = ((uintptr_t)p - (uintptr_t)my->heap) / UNIT;

	if (my->state[unit] != LIVE)
		machine_stop("an object is freed twice");
	memory_save((uintptr_t)&my->state[unit], my->size[unit]);
	memset(&my->state[unit], FREED, my->size[unit]);
}

const char *
memory_wrong(uintptr_t a, size_t n)
{
	unsigned long from = (a - (uintptr_t)my->heap) / UNIT, to = (a + n - 1 - (uintptr_t)my->heap) / UNIT;

	if (a < 0x10000)
		return ("a pointer that is nearly NULL is followed");
	if (a - (uintptr_t)my->heap >= PARTS * PART)
		return (NULL);
	if (my->state[from] == FREED || my->state[to] == FREED)
		return ("an object is used that has been freed");
	if (my->state[from] == NEVER || my->state[to] == NEVER)
		return ("memory is used that belongs to no object");
	return (NULL);
}

/** One CPU runs at a time. */
void
machine_lock(void)
{
}

void
machine_unlock(void)
{
}

/* ------------------------------------------------------------------ where memory is seen */

void __real_machine_windows(unsigned long va, unsigned long bytes);
void __wrap_machine_windows(unsigned long va, unsigned long bytes);
void __real_machine_map_all(unsigned long va);
void __wrap_machine_map_all(unsigned long va);
void __real_machine_init(unsigned long long bytes);
void __wrap_machine_init(unsigned long long bytes);
void __real_machine_window_set(unsigned long va, unsigned long long pa, int access);
void __wrap_machine_window_set(unsigned long va, unsigned long long pa, int access);

void
__wrap_machine_init(unsigned long long bytes)
{
	__real_machine_init(bytes);
	if (my == NULL)
		make_heap();
	my->memory = (uintptr_t)machine_phys(0);
	my->memory_end = my->memory + (uintptr_t)bytes;
}

void
__wrap_machine_windows(unsigned long va, unsigned long bytes)
{
	__real_machine_windows(va, bytes);
	my->windows = va;
}

void
__wrap_machine_map_all(unsigned long va)
{
	__real_machine_map_all(va);
	my->linear = va;
}

void
__wrap_machine_window_set(unsigned long va, unsigned long long pa, int access)
{
	unsigned i = (unsigned)((va - my->windows) / 4096);

	__real_machine_window_set(va, pa, access);
	my->window[i].pa = pa;
	my->window[i].access = access;
	if (my->saving && !my->window[i].moved) {
		my->window[i].moved = true;
		my->moved[my->nmoved++] = i;
	}
}

uintptr_t
memory_place(uintptr_t a)
{
	unsigned long i;

	if (my == NULL)
		return (a);
	i = (a - my->windows) / 4096;
	if (my->windows != 0 && a >= my->windows && i < WINDOWS) {
		if (my->window[i].access == 0)
			(void)inside_window_fault(a);
		return (my->memory + (uintptr_t)my->window[i].pa + a % 4096);
	}
	if (my->linear != 0 && a - my->linear < my->memory_end - my->memory)
		return (my->memory + (a - my->linear));
	return (a);
}

const char *
memory_name(uintptr_t a)
{
	static char text[60];
	unsigned long off = a - my->memory;

	if (memory_is_frame(a))
		snprintf(text, sizeof(text), "byte 0x%lx of frame 0x%lx", off % 4096, off / 4096);
	else
		snprintf(text, sizeof(text), "0x%lx", (unsigned long)a);
	return (text);
}

bool
memory_is_frame(uintptr_t a)
{
	return (a - my->memory < my->memory_end - my->memory);
}

/* ------------------------------------------------------------------ putting back */

void
memory_begin(void)
{
	my->saving = true;
	my->base_used = my->used[0];
	my->run = 1;
	for (unsigned i = 0; i < WINDOWS; i++) {
		my->window[i].base_pa = my->window[i].pa;
		my->window[i].base_access = my->window[i].access;
	}
}

static void
save_line(uintptr_t at)
{
	uint32_t h = (uint32_t)((at / LINE) * 0x9e3779b1u) % SLOTS;

	while (my->slot_run[h] == my->run) {
		if (my->line[my->slot[h]].at == at)
			return;
		h = (h + 1) % SLOTS;
	}
	if (my->nlines == MAX_LINES) {
		fprintf(stderr, "sched: a run changes too much memory\n");
		exit(2);
	}
	my->slot_run[h] = my->run;
	my->slot[h] = my->nlines;
	my->line[my->nlines].at = at;
	memcpy(my->line[my->nlines++].was, (void *)at, LINE);
}

void
memory_save(uintptr_t a, size_t n)
{
	if (my == NULL || !my->saving)
		return;
	for (uintptr_t at = a & -(uintptr_t)LINE; at < a + n; at += LINE)
		save_line(at);
}

uint64_t
memory_state(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < my->nlines; i++) {
		const struct line *l = &my->line[i];
		const uint32_t *now = (const uint32_t *)l->at;
		uint64_t h = l->at;

		if (memcmp(now, l->was, LINE) == 0)
			continue;
		for (unsigned k = 0; k < LINE / sizeof(*now); k++) {
			h = (h ^ now[k]) * 0xff51afd7ed558ccdull;
			h ^= h >> 32;
		}
		sum += h;
	}
	return (sum);
}

void
memory_restore(void)
{
	for (unsigned i = my->nlines; i > 0; i--)
		memcpy((void *)my->line[i - 1].at, my->line[i - 1].was, LINE);
	for (unsigned k = 0; k < my->nmoved; k++) {
		unsigned i = my->moved[k];

		my->window[i].moved = false;
		if (my->window[i].pa != my->window[i].base_pa || my->window[i].access != my->window[i].base_access)
			__real_machine_window_set(my->windows + i * 4096, my->window[i].base_pa, my->window[i].base_access);
		my->window[i].pa = my->window[i].base_pa;
		my->window[i].access = my->window[i].base_access;
	}
	memset(my->used, 0, sizeof(my->used));
	my->used[0] = my->base_used;
	my->nlines = my->nmoved = 0;
	my->run++;
}
