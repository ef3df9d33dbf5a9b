/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: CPUs on stacks of their own, one of which runs at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <width.h>
#include "search.h"

#define STACK 0x20000u

extern void stack_switch(void **save, void *sp);

struct task task[SCHED_CPUS];
struct task *running;

/** <md_impl.h>: which CPU and thread a task is, and the search itself. */
struct machine_self {
	void *cpu, *thread;
};
struct machine_self *machine_self(void) __attribute__((const));

static struct machine_self self[SCHED_CPUS + 1];

struct machine_self *
machine_self(void)
{
	return (&self[running == NULL ? 0 : running->id + 1]);
}

static void *search_sp;
static char *stacks;
static char *own_stack_end;
static void (*body)(int);
static void (*at_end)(void);

static void
first_steps(void)
{
	body(running->id);
	running->done = true;
	at_end();
	abort();
}

/** As if it had called stack_switch() from the start of first_steps(). */
static void *
fresh_stack(char *stack)
{
	void **sp = (void **)(stack + STACK - 64);

	memset(sp - STACK_SAVED - 2, 0, (STACK_SAVED + 3) * sizeof(void *));
	sp[-1] = (void *)(uintptr_t)first_steps; /* and above it no return address: it never returns */
	return (sp - 1 - STACK_SAVED);
}

void
tasks_begin(unsigned n, void (*fn)(int), void (*ended)(void))
{
	if (stacks == NULL) {
		stacks = mmap(NULL, SCHED_CPUS * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stacks == MAP_FAILED) {
			perror("sched: stacks");
			exit(2);
		}
		own_stack_end = (char *)__builtin_frame_address(0) + 0x10000;
	}
	body = fn;
	at_end = ended;
	for (unsigned i = 0; i < n; i++) {
		task[i] = (struct task){ .id = (int)i, .stack = stacks + i * STACK };
		task[i].sp = fresh_stack(task[i].stack);
	}
}

void
task_switch(struct task *to)
{
	void **save = running == NULL ? &search_sp : &running->sp;
	void *sp = to == NULL ? search_sp : to->sp;

	if (to == running)
		return;
	running = to;
	stack_switch(save, sp);
}

bool
task_owns(uintptr_t a)
{
	if (a - (uintptr_t)stacks < SCHED_CPUS * STACK)
		return (true);
	return (a < (uintptr_t)own_stack_end && (uintptr_t)own_stack_end - a < 0x800000);
}

unsigned
task_trace(uintptr_t *pc, unsigned most)
{
	const uintptr_t *fp = __builtin_frame_address(0);
	unsigned n = 0;

	while (n < most && running != NULL && (uintptr_t)fp - (uintptr_t)running->stack < STACK - 128) {
		if (fp[1] == 0)
			break;
		pc[n++] = fp[1];
		fp = (const uintptr_t *)fp[0];
	}
	return (n);
}
