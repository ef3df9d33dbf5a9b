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
host_wait(bool (*ready)(const void *), const void *what, const char *why)
{
	(void)ready;
	panic("thread %s waits for %s at 0x%lx: deadlock", curthread->t_name, why, (ulong_t)(uintptr_t)what);
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
	if (++host_patience > YIELDS_MAX)
		panic("thread_yield: %u times in a row; nothing that is waited for can happen", YIELDS_MAX);
}

/** Time passes only where somebody waits. */
void
thread_delay(uint64_t ticks)
{
	lbolt += ticks;
	thread_yield();
}

void
cv_wait(kcondvar_t *cv, kmutex_t *m)
{
	(void)cv, (void)m;
	panic("cv_wait: nobody is there to wake thread %s", curthread->t_name);
}

void
cv_init(kcondvar_t *cv)
{
	cv->cv_waiters = NULL;
}

void
cv_signal(kcondvar_t *cv)
{
	(void)cv;
}

void
cv_broadcast(kcondvar_t *cv)
{
	(void)cv;
}

void
xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b)
{
	int me = CPU->cpu_id;
	uint_t y = host_patience;

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
