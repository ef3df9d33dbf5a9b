/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Locks. Whoever waits for one, spinning or blocked, keeps answering cross-calls (spec 3.2 rule 5).
 */
#ifndef SYS_MUTEX_H
#define SYS_MUTEX_H

#include <sys/types.h>

struct kthread;

/** Short lock with interrupts off, for the scheduler, consoles and other things below mutexes. Polls cross-calls while it spins. */
typedef struct spinlock {
	volatile uint32_t sl_held;
	uint32_t	sl_cpu;		/**< owner + 1, to catch recursion */
} spinlock_t;

/** Take the lock, interrupts off. Panics when this CPU has it already. @return the interrupt state to give back */
ulong_t spin_enter(spinlock_t *l);
void spin_exit(spinlock_t *l, ulong_t saved);
bool spin_held(const spinlock_t *l);		/**< by this CPU */

/** Blocking, non-recursive mutex. Spins while its owner runs on another CPU, sleeps otherwise. Zero-filled is unlocked. */
typedef struct kmutex {
	struct kthread *volatile m_owner;
	struct kthread	*m_waiters;	/**< under the scheduler's lock */
} kmutex_t;

void mutex_init(kmutex_t *m);
void mutex_destroy(kmutex_t *m);		/**< asserts that nobody holds it or waits */
void mutex_enter(kmutex_t *m);			/**< asserts: not held by this thread, not in an interrupt handler */
bool mutex_tryenter(kmutex_t *m);
void mutex_exit(kmutex_t *m);
bool mutex_owned(const kmutex_t *m);		/**< by the running thread */
#define MUTEX_HELD(m)	(mutex_owned(m))
/** Leave every mutex that the running thread holds, newest first: for a check that was cut short. */
void thread_drop_locks(void);

/** Condition variable. Zero-filled is ready. */
typedef struct kcondvar {
	struct kthread	*cv_waiters;	/**< under the scheduler's lock */
} kcondvar_t;

void cv_init(kcondvar_t *cv);
void cv_wait(kcondvar_t *cv, kmutex_t *m);	/**< leaves m, sleeps, enters m again */
void cv_signal(kcondvar_t *cv);
void cv_broadcast(kcondvar_t *cv);

#endif
