/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief CPUs that take turns (search.c), or run at the same time (threads.c): waiting, yielding, cross-calls. alone.c is the other way.
 */
#include <host/host.h>
#include <host/sched/sched.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/xcall.h>

void
host_before(const volatile void *what)
{
	sched_before(what);
}

void
host_after(const volatile void *what)
{
	sched_after(what);
}

void
host_reads(const volatile void *what)
{
	sched_reads(what);
}

void
host_frees(const void *what, size_t size)
{
	sched_frees(what, size);
}

void
host_wait(bool (*ready)(const void *), const void *what, const char *why)
{
	sched_wait(ready, what, why);
}

/** That of page.c, for who waits for a page. */
bool
host_knows_lock(const void *lock)
{
	(void)lock;
	return (true);
}

/* ------------------------------------------------------------------ yielding */

/** What a CPU that yields has seen of the others. */
struct patience {
	int me;
	unsigned long before;
};

static bool
others_have_moved(const void *arg)
{
	const struct patience *p = arg;

	return (sched_done_by_others(p->me) != p->before);
}

/** Who yields waits for something: it looks again when another CPU has done something. */
void
thread_yield(void)
{
	struct patience p = { CPU->cpu_id, sched_done_by_others(CPU->cpu_id) };

	host_may_block("thread_yield");
	(void)__atomic_add_fetch(&host_yields, 1, __ATOMIC_RELAXED);
	host_wait(others_have_moved, &p, "another CPU to do something");
}

void
thread_delay(uint64_t ticks)
{
	(void)ticks;
	thread_yield();
}

/* ------------------------------------------------------------------ condition variables */

static bool
is_awake(const void *t)
{
	return (((const kthread_t *)t)->t_state != T_SLEEP);
}

void
cv_init(kcondvar_t *cv)
{
	cv->cv_waiters = NULL;
}

void
cv_wait(kcondvar_t *cv, kmutex_t *m)
{
	kthread_t *me = curthread;

	host_before(cv);
	me->t_state = T_SLEEP;
	me->t_next = cv->cv_waiters;
	cv->cv_waiters = me;
	host_after(cv);
	mutex_exit(m);
	host_wait(is_awake, me, "a condition");
	mutex_enter(m);
}

static void
wake(kcondvar_t *cv, bool all)
{
	host_before(cv);
	for (kthread_t *t = cv->cv_waiters; t != NULL; t = cv->cv_waiters) {
		cv->cv_waiters = t->t_next;
		t->t_state = T_ONPROC;
		if (!all)
			break;
	}
	host_after(cv);
}

void
cv_signal(kcondvar_t *cv)
{
	wake(cv, false);
}

void
cv_broadcast(kcondvar_t *cv)
{
	wake(cv, true);
}

/* ------------------------------------------------------------------ cross-calls */

struct call {
	cpu_t *cpu;
	xc_func_t func;
	uintptr_t a, b;
};

bool
scene_takes_interrupts(const void *c)
{
	return (((const cpu_t *)c)->cpu_spin_depth == 0 && ((const cpu_t *)c)->cpu_intr_depth == 0);
}

static void
handler(void *arg)
{
	const struct call *call = arg;
	int me = CPU->cpu_id;

	host_on(call->cpu->cpu_id);
	CPU->cpu_intr_depth++;
	call->func(call->a, call->b);
	CPU->cpu_intr_depth--;
	host_on(me);
}

/** One CPU after the other: until its turn comes it goes on as if nobody had called. */
void
xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b)
{
	host_may_not_move("xc_call");
	for (int id = 0; id < NCPU; id++)
		if ((set & CPUSET(id)) && cpu[id] != NULL && cpu[id]->cpu_online)
			sched_interrupt(id, cpu[id], handler, &(struct call){ cpu[id], func, a, b });
}

void
xc_poll(void)
{
}

/** Who waits is told so by host_wait(): nobody need spin. */
void
pause(void)
{
}
