/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Locks of the pretend machine. Who waits, and whether anybody can come to help, is said in alone.c and sched/together.c.
 *
 * The order is watched (docs/overview.md): page lock, mapping list, table lock (never two), window, cross-call; the hat
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

static kthread_t *
owner(const kmutex_t *m)
{
	return (__atomic_load_n(&m->m_owner, __ATOMIC_SEQ_CST));
}

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
	if (hat == NULL && !host_knows_lock(m))
		panic("mutex_enter: 0x%lx is no lock of the HAT", (ulong_t)(uintptr_t)m);
	if (hat == NULL)
		return (RANK_LAST);
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
host_may_not_move(const char *what)
{
	if (curthread->t_preempt == 0 && CPU->cpu_intr_depth == 0)
		panic("%s: with preemption on", what);
}

void
mutex_init(kmutex_t *m)
{
	memset(m, 0, sizeof(*m));
}

void
mutex_destroy(kmutex_t *m)
{
	ASSERT(owner(m) == NULL);
}

static bool
is_free(const void *m)
{
	return (owner(m) == NULL);
}

static bool
take(kmutex_t *m)
{
	kthread_t *nobody = NULL;

	return (__atomic_compare_exchange_n(&m->m_owner, &nobody, curthread, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

void
mutex_enter_slow(kmutex_t *m)
{
	kthread_t *me = curthread;

	if (panicstr != NULL)
		return;
	if (owner(m) == me)
		panic("mutex_enter: thread %s holds mutex 0x%lx already", me->t_name, (ulong_t)(uintptr_t)m);
	if (host_switch == NULL) /* else the checks say themselves what may not be held */
		check_order(m);
	if (me->t_nlocks == T_MAXLOCKS)
		panic("mutex_enter: too many locks");
	host_before(m);
	while (!take(m))
		host_wait(is_free, m, "a mutex");
	host_after(m);
	me->t_locks[me->t_nlocks++] = m;
}

bool
mutex_tryenter(kmutex_t *m)
{
	if (owner(m) != NULL)
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
	if (owner(m) != me)
		panic("mutex_exit: thread %s does not hold mutex 0x%lx", me->t_name, (ulong_t)(uintptr_t)m);
	while (i > 0 && me->t_locks[i - 1] != m)
		i--;
	for (; i < me->t_nlocks; i++)
		me->t_locks[i - 1] = me->t_locks[i];
	me->t_nlocks--;
	host_before(m);
	__atomic_store_n(&m->m_owner, NULL, __ATOMIC_SEQ_CST);
	host_after(m);
	if (host_between != NULL && me->t_nlocks == 0)
		host_between();
}

bool
mutex_owned(const kmutex_t *m)
{
	return (owner(m) == curthread || panicstr != NULL);
}

static bool
is_open(const void *l)
{
	return (!spin_held(l));
}

/** Nobody is interrupted who holds one. */
ulong_t
spin_enter(spinlock_t *l)
{
	host_before(l);
	while (__atomic_exchange_n(&l->sl_held, 1, __ATOMIC_SEQ_CST) != 0)
		host_wait(is_open, l, "a spin lock");
	CPU->cpu_spin_depth++;
	host_after(l);
	return (0);
}

void
spin_exit(spinlock_t *l, ulong_t saved)
{
	(void)saved;
	host_before(l);
	CPU->cpu_spin_depth--;
	__atomic_store_n(&l->sl_held, 0, __ATOMIC_SEQ_CST);
	host_after(l);
}

bool
spin_held(const spinlock_t *l)
{
	return (__atomic_load_n(&l->sl_held, __ATOMIC_SEQ_CST) != 0);
}

/** Where there are no assertions, locks are taken in line. */
void
mutex_wake(kmutex_t *m)
{
	(void)m;
}
