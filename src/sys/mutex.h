/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Locks. Whoever waits for one, spinning or blocked, keeps answering cross-calls (spec 3.2 rule 5).
 */
#ifndef SYS_MUTEX_H
#define SYS_MUTEX_H

#include <sys/atomic.h>
#include <sys/md.h>
#include <sys/thread.h>
#include <sys/types.h>

struct kthread;

/**
 * Short lock with interrupts off, for the scheduler, consoles and other things below mutexes. Zero-filled is free.
 * Who holds one must not sleep, take a mutex, or jump away.
 */
typedef struct spinlock {
	volatile uint32_t sl_held;
	uint32_t sl_cpu; /**< owner + 1, to catch recursion */
} spinlock_t;

/**
 * Take the lock, interrupts off; answers cross-calls while it spins. Panics when this CPU has it already.
 * @return the interrupt state to give back
 */
ulong_t spin_enter(spinlock_t *l);
/** Free the lock and put interrupts back. Whoever runs on the CPU that took it may do so. */
void spin_exit(spinlock_t *l, ulong_t saved);
bool spin_held(const spinlock_t *l); /**< by this CPU */

/** Blocking, non-recursive mutex. Spins while its owner runs on another CPU, sleeps otherwise. Zero-filled is unlocked. */
typedef struct kmutex {
	struct kthread *volatile m_owner;
	struct kthread *m_waiters; /**< under the scheduler's lock */
} kmutex_t;

void mutex_init(kmutex_t *m);
/** Nobody will use it any more. Asserts that nobody holds it or waits. */
void mutex_destroy(kmutex_t *m);
/**
 * Take the mutex, waiting for it if need be. A thread that must not sleep (preemption off) spins; it panics if that can
 * only be for ever. Asserts: not in an interrupt handler. Panics: held by this thread already; T_MAXLOCKS held.
 * In a panic all mutexes are open.
 */
static inline void mutex_enter(kmutex_t *m);
/** Take it if it is free now. @return whether it was */
bool mutex_tryenter(kmutex_t *m);
/** Give it back and wake one waiter. Panics when the running thread does not hold it. */
static inline void mutex_exit(kmutex_t *m);
void mutex_enter_slow(kmutex_t *m) COLD; /**< all that mutex_enter() does, in a call */
void mutex_exit_slow(kmutex_t *m);       /**< likewise */
void mutex_wake(kmutex_t *m) COLD;       /**< wake one waiter of a mutex that has just been given back */
/** Does the running thread hold it? Always true in a panic. */
bool mutex_owned(const kmutex_t *m);
#define MUTEX_HELD(m) (mutex_owned(m))
/** Leave every mutex that the running thread holds, newest first: for a check that was cut short. Needs LOCK_NOTES. */
void thread_drop_locks(void);

/*
 * A mutex that is free, and one that nobody waits for: a handful of instructions each, in line. Whatever else there is to know about
 * them is in mutex.c. With LOCK_NOTES, in kernels with assertions or with checks, every mutex goes there: each thread
 * then keeps a list of those it holds, so that a check that was cut short can give them back.
 */
#ifdef LOCK_NOTES
static inline void
mutex_enter(kmutex_t *m)
{
	mutex_enter_slow(m);
}

static inline void
mutex_exit(kmutex_t *m)
{
	mutex_exit_slow(m);
}
#else
static inline void
mutex_enter(kmutex_t *m)
{
	if (__builtin_expect(atomic_cas_ptr((void *volatile *)&m->m_owner, NULL, curthread) != NULL, 0))
		md_call_cold(mutex_enter_slow, m);
}

static inline void
mutex_exit(kmutex_t *m)
{
	(void)atomic_swap_ptr((void *volatile *)&m->m_owner, NULL);
	if (__builtin_expect(m->m_waiters != NULL, 0)) /* looked at after the exchange, which is a barrier */
		md_call_cold(mutex_wake, m);
}
#endif

/** Condition variable. Zero-filled is ready. */
typedef struct kcondvar {
	struct kthread *cv_waiters; /**< under the scheduler's lock */
} kcondvar_t;

void cv_init(kcondvar_t *cv);
/** Leave m and sleep, in one step; enter m again when woken. What was waited for must then be looked at again. */
void cv_wait(kcondvar_t *cv, kmutex_t *m);
/** Wake one waiter. The mutex need not be held. */
void cv_signal(kcondvar_t *cv);
/** Wake all waiters. */
void cv_broadcast(kcondvar_t *cv);

#endif
