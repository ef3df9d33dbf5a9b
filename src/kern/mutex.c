/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Mutexes and condition variables.
 *
 * An uncontended mutex is one compare-and-swap on m_owner. A thread that finds it taken spins as long as the owner runs on
 * some CPU, since it will be done soon, and sleeps otherwise. Sleeping and waking meet like this:
 *
 *     waiter                                  owner
 *     under sched_lock: join m_waiters        m_owner = NULL (a full barrier)
 *     a full barrier                          any m_waiters? then, under sched_lock,
 *     m_owner NULL? take it after all         wake the first
 *
 * Whichever of the two comes second sees what the other did. A woken thread competes again: no thread is ever handed a
 * mutex, so nobody waits for one that is ready but has no CPU.
 *
 * A thread that may not sleep (preemption off, before the scheduler runs) only spins. While spinning it polls for
 * cross-calls; its interrupts may be off, and the owner may be waiting for its answer. In a panic there is one CPU left,
 * and mutexes let everyone through.
 */
#include <kern/thread_impl.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

static inline bool
mutex_take(kmutex_t *m, kthread_t *me)
{
	return (atomic_cas_ptr((void *volatile *)&m->m_owner, NULL, me) == NULL);
}

/*
 * t_locks[] names a mutex from before it is ours until after it is given back: whoever turns a thread away in between
 * misses none, and thread_drop_locks() asks the mutex itself.
 */
static void
held_add(kthread_t *me, kmutex_t *m)
{
#ifdef LOCK_NOTES
	if (me->t_nlocks == T_MAXLOCKS)
		panic("mutex_enter: thread %s holds %d mutexes and wants one more", me->t_name, T_MAXLOCKS);
	me->t_locks[me->t_nlocks++] = m;
#else
	(void)me, (void)m;
#endif
}

/* Mostly the newest one goes first; any order is allowed. */
static void
held_remove(kthread_t *me, kmutex_t *m)
{
#ifdef LOCK_NOTES
	int i = me->t_nlocks;

	while (i > 0 && me->t_locks[i - 1] != m)
		i--;
	ASSERT(i > 0);
	for (; i < me->t_nlocks; i++)
		me->t_locks[i - 1] = me->t_locks[i];
	me->t_nlocks--;
#else
	(void)me, (void)m;
#endif
}

void
mutex_init(kmutex_t *m)
{
	memset(m, 0, sizeof(*m));
}

void
mutex_destroy(kmutex_t *m)
{
	ASSERT(m->m_owner == NULL && m->m_waiters == NULL);
	m->m_owner = NULL;
}

/* One sleep; true: the mutex came free in the last moment and is ours. */
static bool
mutex_sleep(kmutex_t *m, kthread_t *me)
{
	ulong_t saved = spin_enter(&sched_lock);
	bool mine;

	waitq_add(&m->m_waiters, me);
	membar();
	mine = mutex_take(m, me);
	if (mine) {
		waitq_remove(&m->m_waiters, me);
	} else {
		me->t_state = T_SLEEP;
		sched_switch();
	}
	spin_exit(&sched_lock, saved);
	return (mine);
}

static void
mutex_wait(kmutex_t *m, kthread_t *me)
{
	kthread_t *owner;

	for (;;) {
		owner = m->m_owner;
		if (owner == NULL) {
			if (mutex_take(m, me))
				return;
		} else if (!sched_running(owner) && sched_may_block()) {
			if (mutex_sleep(m, me))
				return;
		} else if (ncpus == 1 && m->m_owner == owner && !sched_may_block()) {
			panic("mutex_enter: thread %s, which may not sleep, waits for a mutex of thread %s on the only CPU",
			    me->t_name, owner->t_name);
		}
		xc_poll();
		pause();
	}
}

void
mutex_enter_slow(kmutex_t *m)
{
	kthread_t *me = curthread;

	if (panicstr != NULL)
		return;
	ASSERT(intr_enabled() || CPU->cpu_intr_depth == 0);
	if (m->m_owner == me)
		panic("mutex_enter: thread %s holds mutex 0x%lx already", me->t_name, (ulong_t)(uintptr_t)m);
	held_add(me, m);
	if (!mutex_take(m, me))
		mutex_wait(m, me);
}

bool
mutex_tryenter(kmutex_t *m)
{
	kthread_t *me = curthread;

	if (panicstr != NULL)
		return (true);
	ASSERT(m->m_owner != me);
	held_add(me, m);
	if (mutex_take(m, me))
		return (true);
	held_remove(me, m);
	return (false);
}

void
mutex_wake(kmutex_t *m)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *t = waitq_take(&m->m_waiters);

	if (t != NULL)
		sched_wake(t);
	spin_exit(&sched_lock, saved);
}

void
mutex_exit_slow(kmutex_t *m)
{
	kthread_t *me = curthread;

	if (panicstr != NULL)
		return;
	if (m->m_owner != me)
		panic("mutex_exit: thread %s does not hold mutex 0x%lx", me->t_name, (ulong_t)(uintptr_t)m);
	(void)atomic_swap_ptr((void *volatile *)&m->m_owner, NULL);
	if (*(kthread_t *volatile *)&m->m_waiters != NULL)
		mutex_wake(m);
	held_remove(me, m);
}

bool
mutex_owned(const kmutex_t *m)
{
	return (m->m_owner == curthread || panicstr != NULL);
}

void
thread_drop_locks(void)
{
	kthread_t *me = curthread;

	while (me->t_nlocks > 0 && panicstr == NULL) {
		kmutex_t *m = me->t_locks[me->t_nlocks - 1];

		if (m->m_owner == me)
			mutex_exit(m);
		else
			me->t_nlocks--;
	}
}

void
cv_init(kcondvar_t *cv)
{
	cv->cv_waiters = NULL;
}

/* On the queue before the mutex is left: a signal between the two is not lost. */
void
cv_wait(kcondvar_t *cv, kmutex_t *m)
{
	kthread_t *me = curthread;
	ulong_t saved;

	ASSERT(mutex_owned(m));
	if (!sched_may_block())
		panic("cv_wait: thread %s may not sleep here", me->t_name);
	saved = spin_enter(&sched_lock);
	held_remove(me, m);
	waitq_add(&cv->cv_waiters, me);
	me->t_state = T_SLEEP;
	(void)atomic_swap_ptr((void *volatile *)&m->m_owner, NULL);
	if (m->m_waiters != NULL)
		sched_wake(waitq_take(&m->m_waiters));
	sched_switch();
	spin_exit(&sched_lock, saved);
	mutex_enter(m);
}

static void
cv_wake(kcondvar_t *cv, bool all)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *t;

	while ((t = waitq_take(&cv->cv_waiters)) != NULL) {
		sched_wake(t);
		if (!all)
			break;
	}
	spin_exit(&sched_lock, saved);
}

void
cv_signal(kcondvar_t *cv)
{
	cv_wake(cv, false);
}

void
cv_broadcast(kcondvar_t *cv)
{
	cv_wake(cv, true);
}
