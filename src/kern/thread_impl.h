/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the files of the scheduler share.
 *
 * One spinlock, sched_lock, guards the run queue, all wait queues and every thread's state. It is held across a switch
 * of threads: the one that goes takes it, the one that comes gives it back.
 */
#ifndef KERN_THREAD_IMPL_H
#define KERN_THREAD_IMPL_H

#include <sys/mutex.h>
#include <sys/thread.h>

#define STACK_MAGIC 0x5ac4b077u /**< lowest word of every stack: the last thing an overflow destroys before it leaves */

extern spinlock_t sched_lock;

/** @name Wait queues: first in, first out, linked by t_next; sched_lock held
 * @{ */
void waitq_add(kthread_t **head, kthread_t *t);
kthread_t *waitq_take(kthread_t **head);
void waitq_remove(kthread_t **head, kthread_t *t);
/** @} */

/** Make a thread runnable, and wake an idle CPU for it. sched_lock held. */
void sched_wake(kthread_t *t);
/**
 * Leave the CPU to the next runnable thread; the running one has been put on the queue where it wants to wait (or on
 * none: T_DEAD, or the run queue by sched_wake()). sched_lock held on entry and on return.
 */
void sched_switch(void);
/** Switch if the tick asked for it and nothing forbids it. Interrupts may be on or off; returns with them as they were. */
void sched_preempt(void);
/** May this thread give up its CPU here? Not in a handler, not with a spinlock, not with preemption off. */
bool sched_may_block(void);
/** Is this thread running on some CPU just now? A hint; never looks into the thread itself, which may be gone. */
bool sched_running(const kthread_t *t);
/** Work of a tick: time slice, sleepers, watchdog. Interrupt handler. */
void clock_tick(const struct trapframe *tf);
/** What idle CPUs do; for ap_main() and the idle thread. */
void sched_idle(void) NORETURN;
/** A thread without a stack of its own yet, not on any queue. NULL: no memory. */
kthread_t *thread_alloc(const char *name, void (*func)(void *), void *arg);
/** The idle thread of a CPU that is going to start. Sleeps for memory. */
kthread_t *thread_create_idle(cpu_t *c);
/** First C code of a thread that has never run. */
void thread_start(void) NORETURN;
/** Where a CPU's life in C starts: online, ticking, idle. */
void ap_main(cpu_t *c) NORETURN;

#endif
