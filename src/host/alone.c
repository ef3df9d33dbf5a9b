/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One CPU at a time, and nothing runs on its own: a cross-call runs at once, as if the other CPUs had been interrupted where
 * they stand, and who waits for somebody waits for ever, and is told so.
 */
#include <host/host.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/xcall.h>

#define YIELDS_MAX 100000u /**< without anybody having been helped: an endless loop */

void
host_before(const volatile void *what)
{
	(void)what;
}

void
host_after(const volatile void *what)
{
	(void)what;
}

void
host_reads(const volatile void *what)
{
	(void)what;
}

void
host_frees(const void *what, size_t size)
{
	(void)what, (void)size;
}

/** Let others run until it is over; where there are none, or preemption is off, it never is. */
void
host_wait(bool (*ready)(const void *), const void *what, const char *why)
{
	kthread_t *me = curthread;

	if (host_switch == NULL || me->t_preempt > 0)
		panic("thread %s waits for %s at 0x%lx: deadlock", me->t_name, why, (ulong_t)(uintptr_t)what);
	me->t_state = T_SLEEP;
	while (!ready(what))
		(void)host_switch();
	me->t_state = T_ONPROC;
}

bool
host_knows_lock(const void *lock)
{
	(void)lock;
	return (false);
}

void
thread_yield(void)
{
	host_may_block("thread_yield");
	host_yields++;
	if (host_between != NULL)
		host_between();
	if (host_switch != NULL && host_switch())
		return;
	if (++host_patience > YIELDS_MAX)
		panic("thread_yield: %u times in a row; nothing that is waited for can happen", YIELDS_MAX);
}

/** Time passes only where somebody waits. */
void
thread_delay(uint64_t ticks)
{
	lbolt += ticks;
	curthread->t_state = T_SLEEP;
	thread_yield();
	curthread->t_state = T_ONPROC;
}

/** Nobody is queued: who waits looks whether this has changed. */
static void
wake_all(kcondvar_t *cv)
{
	cv->cv_waiters = (kthread_t *)((uintptr_t)cv->cv_waiters + 1);
}

void
cv_wait(kcondvar_t *cv, kmutex_t *m)
{
	kthread_t *me = curthread, *before = cv->cv_waiters;

	if (host_switch == NULL)
		panic("cv_wait: nobody is there to wake thread %s", me->t_name);
	mutex_exit(m);
	me->t_state = T_SLEEP;
	while (cv->cv_waiters == before)
		(void)host_switch();
	me->t_state = T_ONPROC;
	mutex_enter(m);
}

void
cv_init(kcondvar_t *cv)
{
	cv->cv_waiters = NULL;
}

void
cv_signal(kcondvar_t *cv)
{
	wake_all(cv);
}

void
cv_broadcast(kcondvar_t *cv)
{
	wake_all(cv);
}

void
xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b)
{
	int me = CPU->cpu_id;
	uint_t y = host_patience;

	host_may_not_move("xc_call");
	for (int id = 0; id < NCPU; id++) {
		if (!(set & CPUSET(id)) || cpu[id] == NULL || !cpu[id]->cpu_online)
			continue;
		host_on(id);
		CPU->cpu_intr_depth++;
		func(a, b);
		CPU->cpu_intr_depth--;
	}
	host_on(me);
	host_patience = y;
}

void
xc_poll(void)
{
}

/** Whoever spins waits for somebody. */
void
pause(void)
{
	if (host_switch != NULL)
		(void)host_switch();
}
