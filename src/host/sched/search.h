/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the outside files of the search share.
 */
#ifndef HOST_SCHED_SEARCH_H
#define HOST_SCHED_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sched.h"

#define FRAMES 12 /**< return addresses kept of a place */

/** A CPU goes on in place of another, or a run ends. */
struct switched {
	int from, to;
	uint32_t count;
	const char *why; /**< NULL: it could have gone on */
	uintptr_t at;
	unsigned nframes;
	uintptr_t pc[FRAMES];
};

/* ------------------------------------------------------------------ task.c: CPUs on stacks of their own */

struct task {
	void *sp; /**< where it stands while others run */
	char *stack;
	int id;
	bool done;
	bool (*ready)(const void *); /**< it waits for this to become true; NULL: it does not wait */
	const void *what;
	const char *why;
	uint32_t count;             /**< accesses, waits and the end: names its place in the program */
	uint32_t clock[SCHED_CPUS]; /**< what it knows of each CPU's events, its own number included */
	uint64_t hash;              /**< of its last event */
};

extern struct task task[SCHED_CPUS];
extern struct task *running; /**< NULL: nobody, the search itself */

/** Make all of them ready to call fn(id) from its start. */
void tasks_begin(unsigned n, void (*fn)(int), void (*ended)(void));
/** Go on as `to`; NULL: as the search. */
void task_switch(struct task *to);
/** Is this an address on somebody's stack? */
bool task_owns(uintptr_t a);
/** Return addresses of the running task, innermost first. @return how many */
unsigned task_trace(uintptr_t *pc, unsigned most);

/* ------------------------------------------------------------------ memory.c: what is put back after each run */

/** From now on all that is written is put back by memory_restore(). */
void memory_begin(void);
void memory_restore(void);
/** All that is not as it was at memory_begin(), as a number. */
uint64_t memory_state(void);
/** These bytes are about to be written. */
void memory_save(uintptr_t a, size_t n);
/** Where the byte really stands that is seen at a: windows and the linear map show memory that is elsewhere too. */
uintptr_t memory_place(uintptr_t a);
/** Is that in the pretend machine's memory? */
bool memory_is_frame(uintptr_t a);
/** An address in words: the same in each process. */
const char *memory_name(uintptr_t a);
/** NULL, or what is wrong with an access to kernel memory. */
const char *memory_wrong(uintptr_t a, size_t n);

/* ------------------------------------------------------------------ order.c: what happened before what */

/** A run begins: nothing has happened. */
void order_begin(unsigned ncpus);
/** Is one of these bytes a place that is known to matter? */
bool order_matters(uintptr_t a, size_t n);
/** An access that is about to be made: an event if the place matters; else it is watched, and may turn out to matter. */
void order_access(uintptr_t a, size_t n, bool write);
/** An event at a lock or the like: it matters as soon as two CPUs use it. */
void order_sync(uintptr_t a, bool write);
/** The running CPU's part is over: that is an event. */
void order_end(void);
/** Has some place been found since the last call that matters and was not known to? */
bool order_grown(void);
/** The run up to now, up to the order of what does not touch the same places. */
uint64_t order_hash(void);
unsigned order_places(void);
unsigned long order_events(int other_than);

/* ------------------------------------------------------------------ race.c: what nothing orders */

/** A run begins: nothing has happened. */
void race_begin(void);
/** NULL, or what is wrong with an access that is about to be made; `atomic`: it is, or it is volatile. */
const char *race_access(uintptr_t a, size_t n, bool write, bool atomic);
/** A lock is taken or given back. */
void race_sync(uintptr_t a);
/** The running CPU takes the place of CPU `id`, which is interrupted, or stops doing so. */
void race_interrupt(int id);
/** Has a race been found? */
bool race_found(void);
/** The earlier of its two accesses; known when its schedule has been run once more. */
const struct switched *race_first(void);

/* ------------------------------------------------------------------ set.c: what has been met, and how cheaply */

/** Begins as zeros. */
struct set {
	struct met *met;
	uint64_t n, max;
};
/** Has it been met, or is it to be, at no higher cost? If not, it is now. */
bool set_met(struct set *set, uint64_t key, uint8_t cost);
/** What something cost that has been met. */
uint8_t set_cost(const struct set *set, uint64_t key);
/** Nothing has been met. */
void set_forget(struct set *set);

/* ------------------------------------------------------------------ search.c */

/** The running CPU is about to do something at `a`; others may come first. */
void search_point(uintptr_t a, bool matters);
/** This run ends here, wrongly. */
void search_fail(const char *text) __attribute__((noreturn));
/** Accesses of the running CPU are part of one step now. */
extern unsigned search_atomic;

/* ------------------------------------------------------------------ report.c */

/** Print how a run went. */
void report_switches(const struct switched *s, unsigned n);

#endif
