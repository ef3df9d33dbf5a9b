/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The tick: time, sleepers, time slices, and the watchdog that ends a run which does not end itself.
 */
#include <kern/panic_impl.h>
#include <kern/thread_impl.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/symbols.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <sys/xcall.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>

volatile uint64_t lbolt;

static uint64_t watchdog = 6000;
static volatile uint64_t watchdog_start; /* the tick from which it counts */
TUNABLE_NUMBER(
    watchdog, "watchdog", "ticks (10 ms of emulated time) after which the kernel stops itself, for each check anew; 0: never");

static kthread_t *sleepers; /* sched_lock; in no order, there are few */

void
thread_delay(uint64_t ticks)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *me = curthread;

	me->t_wakeup = lbolt + MAX(ticks, 1u);
	me->t_state = T_SLEEP;
	waitq_add(&sleepers, me);
	sched_switch();
	spin_exit(&sched_lock, saved);
}

/* sched_lock held. The list is taken apart and rebuilt from those who are not due. */
static void
sleepers_wake(void)
{
	kthread_t *list = sleepers, *t;

	sleepers = NULL;
	while ((t = waitq_take(&list)) != NULL) {
		if (t->t_wakeup <= lbolt)
			sched_wake(t);
		else
			waitq_add(&sleepers, t);
	}
}

/* What every CPU was doing. The others have been stopped by now and have left a note. */
static void
watchdog_bite(const struct trapframe *tf)
{
	char text[400], where[64];
	int len;

	panic_begin("watchdog");
	CPU->cpu_stop_pc = tf_pc(tf);
	len = snprintf(text, sizeof(text), "watchdog: %llu ticks are over", (unsigned long long)watchdog);
	for (int i = 0; i < NCPU; i++) {
		cpu_t *c = cpu[i];

		if (c == NULL || c->cpu_online == 0 || len >= (int)sizeof(text))
			continue;
		if (c->cpu_stop_pc != 0)
			symbol_format(where, sizeof(where), c->cpu_stop_pc);
		else
			(void)snprintf(where, sizeof(where), "(no answer)");
		len += snprintf(text + len, sizeof(text) - (size_t)len, "; cpu%d runs %s at %s", i, c->cpu_thread->t_name, where);
	}
	panic_end(text, tf);
}

void
watchdog_restart(void)
{
	watchdog_start = lbolt;
}

void
clock_tick(const struct trapframe *tf)
{
	cpu_t *c = CPU;
	ulong_t saved;

	if (c->cpu_id == 0) {
		saved = spin_enter(&sched_lock);
		lbolt++;
		sleepers_wake();
		spin_exit(&sched_lock, saved);
	}
	c->cpu_resched = 1;
	if (watchdog != 0 && lbolt - watchdog_start > watchdog)
		watchdog_bite(tf);
}

void
clock_start(void)
{
	apic_timer_start();
	sti();
}
