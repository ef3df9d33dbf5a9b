/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Locks of the pretend machine. With one thread at a time nobody ever waits: a lock that is taken is a deadlock.
 *
 * Instead the order is watched (docs/overview.md): page lock, mapping list, table lock (never two), window, cross-call; the hat
 * list's lock, a hat's mutex, the reserves' and the mapping hash's stand alone or come last; nothing is allocated, freed or waited for while a lock is held.
 */
#include <host/host.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <sys/thread.h>

void (*host_between)(void);

/* In order. The site shows it (`make docs`): name, colon, what it is. */
enum lock_rank {
	RANK_LIST = 1, /* mapping list: of a page, x86_hm_enter(); one at a time */
	RANK_TABLE,    /* table: htable_lock() of (hat, base, level), never two */
	RANK_LAST,     /* last ones: hat_list_lock, hat_mutex, htable_reserve_mutex, mapping hash; no other of these beside it */
	RANK_WINDOW    /* window: hci_mutex of this CPU, preemption off */
};

static bool
is_window(const kmutex_t *m)
{
	for (int id = 0; id < NCPU; id++)
		if (cpu[id] != NULL && cpu[id]->cpu_hat_info != NULL && m == &cpu[id]->cpu_hat_info->hci_mutex)
			return (true);
	return (false);
}

static int
rank(const kmutex_t *m)
{
	const hat_t *hat;

	if (m == &hat_list_lock || m == &htable_reserve_mutex)
		return (RANK_LAST);
	if (is_window(m))
		return (RANK_WINDOW);
	if (hment_lock_kind(m) != HMENT_NO_LOCK)
		return (hment_lock_kind(m) == HMENT_LIST_LOCK ? RANK_LIST : RANK_LAST);
	hat = host_hat_of(m);
	if (hat == NULL)
		panic("mutex_enter: 0x%lx is no lock of the HAT", (ulong_t)(uintptr_t)m);
	return (m == &hat->hat_mutex ? RANK_LAST : RANK_TABLE);
}

static void
check_order(const kmutex_t *m)
{
	const kthread_t *me = curthread;
	int want = rank(m);

	if (CPU->cpu_intr_depth > 0)
		panic("mutex_enter in a cross-call");
	if (me->t_preempt > 0 && want != RANK_WINDOW)
		panic("mutex_enter: a lock that may block is taken with preemption off");
	for (int i = 0; i < me->t_nlocks; i++)
		if (rank(me->t_locks[i]) >= want)
			panic("mutex_enter: lock order: one of rank %d is held, one of rank %d wanted", rank(me->t_locks[i]), want);
}

void
host_may_block(const char *what)
{
	if (host_switch != NULL)
		return;
	if (curthread->t_nlocks > 0 || curthread->t_preempt > 0 || CPU->cpu_intr_depth > 0)
		panic(
		    "%s: with %d locks held and preemption %s", what, curthread->t_nlocks, curthread->t_preempt > 0 ? "off" : "on");
}

void
mutex_init(kmutex_t *m)
{
	memset(m, 0, sizeof(*m));
}

void
mutex_destroy(kmutex_t *m)
{
	ASSERT(m->m_owner == NULL);
}

void
mutex_enter_slow(kmutex_t *m)
{
	kthread_t *me = curthread;

	if (panicstr != NULL)
		return;
	if (m->m_owner == me)
		panic("mutex_enter: thread %s holds mutex 0x%lx already", me->t_name, (ulong_t)(uintptr_t)m);
	if (m->m_owner != NULL && (host_switch == NULL || me->t_preempt > 0))
		panic("mutex_enter: thread %s waits for one of thread %s: deadlock", me->t_name, m->m_owner->t_name);
	if (host_switch == NULL) /* else the checks say themselves what may not be held */
		check_order(m);
	if (me->t_nlocks == T_MAXLOCKS)
		panic("mutex_enter: too many locks");
	me->t_locks[me->t_nlocks++] = m;
	me->t_state = T_SLEEP;
	while (m->m_owner != NULL)
		(void)host_switch();
	me->t_state = T_ONPROC;
	m->m_owner = me;
}

bool
mutex_tryenter(kmutex_t *m)
{
	if (m->m_owner != NULL)
		return (false);
	mutex_enter(m);
	return (true);
}

void
mutex_exit_slow(kmutex_t *m)
{
	kthread_t *me = curthread;
	int i = me->t_nlocks;

	if (panicstr != NULL)
		return;
	if (m->m_owner != me)
		panic("mutex_exit: thread %s does not hold mutex 0x%lx", me->t_name, (ulong_t)(uintptr_t)m);
	while (i > 0 && me->t_locks[i - 1] != m)
		i--;
	for (; i < me->t_nlocks; i++)
		me->t_locks[i - 1] = me->t_locks[i];
	me->t_nlocks--;
	m->m_owner = NULL;
	if (host_between != NULL && me->t_nlocks == 0)
		host_between();
}

bool
mutex_owned(const kmutex_t *m)
{
	return (m->m_owner == curthread || panicstr != NULL);
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

/** Nobody is queued: who waits looks whether this has changed. */
static void
wake_all(kcondvar_t *cv)
{
	cv->cv_waiters = (kthread_t *)((uintptr_t)cv->cv_waiters + 1);
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

ulong_t
spin_enter(spinlock_t *l)
{
	if (l->sl_held)
		panic("spin_enter: lock 0x%lx is held", (ulong_t)(uintptr_t)l);
	l->sl_held = 1;
	return (0);
}

void
spin_exit(spinlock_t *l, ulong_t saved)
{
	(void)saved;
	l->sl_held = 0;
}

bool
spin_held(const spinlock_t *l)
{
	return (l->sl_held != 0);
}

/** Where there are no assertions, locks are taken in line. */
void
mutex_wake(kmutex_t *m)
{
	(void)m;
}
