/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Cross-calls: run a function on other CPUs and wait for it.
 *
 * There is one call in the machine at a time. Who wants to make one waits for xc_busy, answering others meanwhile; so two
 * CPUs that call each other go one after the other. The request is a few words and one bit a target; a target learns of
 * it by an interrupt or, where interrupts are off, because every waiting loop polls.
 *
 * Holding CPUs still is a cross-call whose function only leaves a note: xc_poll() stays in a loop after it until it is told
 * to go on. It goes on answering cross-calls there, which disturbs nobody.
 */
#include <kern/thread_impl.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/xcall.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>
#include <x86/vectors.h>

#define STOP_PATIENCE 1000000 /* loops that xc_stop_others() waits */

static volatile uint32_t xc_busy; /* a call is being made */
static struct {
	xc_func_t func;
	uintptr_t a, b;
	volatile cpuset_t pending; /* CPUs that have not run it yet */
} xc;
static volatile cpuset_t xc_held;   /* CPUs that are to stand still */
static volatile uint32_t xc_holder; /* CPU + 1 that holds the others */

static cpuset_t
online_set(void)
{
	cpuset_t set = 0;

	for (int i = 0; i < NCPU; i++) {
		if (cpu[i] != NULL && cpu[i]->cpu_online && !cpu[i]->cpu_stopped)
			set |= CPUSET(i);
	}
	return (set);
}

/* Handlers' rules hold in the function, whoever runs it: no mutex, no jump out of it. */
static void
run_here(xc_func_t func, uintptr_t a, uintptr_t b)
{
	CPU->cpu_intr_depth++;
	func(a, b);
	CPU->cpu_intr_depth--;
}

static void
answer(cpuset_t me)
{
	run_here(xc.func, xc.a, xc.b);
	atomic_and_long(&xc.pending, ~me);
}

void
xc_poll(void)
{
	ulong_t saved;
	cpuset_t me;

	if ((xc.pending | xc_held) == 0)
		return;
	saved = intr_save();
	me = CPUSET(CPU->cpu_id);
	do {
		if (xc.pending & me)
			answer(me);
		pause();
	} while ((xc_held & me) && panicstr == NULL);
	intr_restore(saved);
}

static void
interrupt_set(cpuset_t set)
{
	for (int i = 0; set != 0; i++, set >>= 1) {
		if (set & 1)
			apic_send(cpu[i], VEC_XCALL);
	}
}

/* Interrupts are off throughout: a tick that turned this thread away now would leave the machine without cross-calls. */
void
xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b)
{
	ulong_t saved = intr_save();
	cpuset_t me = CPUSET(CPU->cpu_id);

	set &= online_set();
	if ((set & ~me) != 0 && panicstr == NULL) {
		while (atomic_cas_32(&xc_busy, 0, 1) != 0) {
			xc_poll();
			pause();
		}
		xc.func = func, xc.a = a, xc.b = b;
		(void)atomic_swap_long(&xc.pending, set & ~me);
		interrupt_set(set & ~me);
		if (set & me)
			run_here(func, a, b);
		while (xc.pending != 0)
			pause();
		(void)atomic_swap_32(&xc_busy, 0);
	} else if (set & me) {
		run_here(func, a, b);
	}
	intr_restore(saved);
}

static void
hold(uintptr_t a, uintptr_t b)
{
	(void)a, (void)b;
	atomic_or_long(&xc_held, CPUSET(CPU->cpu_id));
}

void
xc_pause_others(void)
{
	ulong_t saved = intr_save();
	uint32_t me = (uint32_t)CPU->cpu_id + 1;

	while (atomic_cas_32(&xc_holder, 0, me) != 0) {
		if (xc_holder == me)
			panic("xc_pause_others: the others are held already");
		xc_poll();
		pause();
	}
	xc_call(~CPUSET(me - 1), hold, 0, 0);
	intr_restore(saved);
}

bool
xc_others_paused(void)
{
	return (xc_holder == (uint32_t)CPU->cpu_id + 1);
}

void
xc_resume_others(void)
{
	ASSERT(xc_holder == (uint32_t)CPU->cpu_id + 1);
	(void)atomic_swap_long(&xc_held, 0);
	(void)atomic_swap_32(&xc_holder, 0);
}

static bool
all_stopped(int me)
{
	for (int i = 0; i < NCPU; i++) {
		if (i != me && cpu[i] != NULL && cpu[i]->cpu_online && !cpu[i]->cpu_stopped)
			return (false);
	}
	return (true);
}

/* By NMI, because a CPU that hangs with interrupts off is just what one may want to stop. trap() does the rest. */
void
xc_stop_others(void)
{
	int me = CPU->cpu_id;

	if (ncpus == 1)
		return;
	for (int i = 0; i < NCPU; i++) {
		if (i != me && cpu[i] != NULL && cpu[i]->cpu_online)
			apic_send_nmi(cpu[i]);
	}
	for (int i = 0; i < STOP_PATIENCE && !all_stopped(me); i++)
		pause();
}
