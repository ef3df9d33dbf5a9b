/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Kernel threads: created runnable, scheduled round robin from one queue, preempted by the tick.
 */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

#include <sys/types.h>
#include <sys/cpu.h>
#include <sys/md.h>

struct kmutex;
struct hat;
struct process;

#define T_MAXLOCKS 8 /**< mutexes one thread may hold at once */

/** Fields: [T] touched by the thread itself, [S] the scheduler's lock, [C] constant. */
typedef struct kthread {
	struct md_context *t_context;       /**< [S] saved registers while not running: the stack pointer */
	struct kthread *t_next;             /**< [S] run queue or wait queue */
	struct kthread *t_older;            /**< [C] list of all threads, dead ones too, see all_threads */
	volatile int t_state;               /**< [S] T_RUN, T_ONPROC, T_SLEEP, T_DEAD */
	volatile int t_preempt;             /**< [T] > 0: do not switch; kpreempt_disable() nests */
	int t_hatdepth;                     /**< [T] nesting of HAT entry points, spec 4.7 rule 2 */
	uint32_t t_id;                      /**< [C] number of its birth */
	uint64_t t_wakeup;                  /**< [S] thread_delay(): when */
	struct kthread *t_joiner;           /**< [S] queue of those who wait for its end */
	int t_flags;                        /**< [T] T_NOMEMWAIT: may use the last memory (spec 7.2) */
	cpu_t *volatile t_cpu;              /**< [S] where it runs */
	cpu_t *t_bound;                     /**< [C] the only CPU it runs on; NULL: any */
	struct hat *t_hat;                  /**< [T] address space to have in CR3 while it runs; NULL: the kernel's */
	struct process *t_proc;             /**< [C] process that it runs a program of; NULL: a thread of the kernel's */
	char t_name[16];                    /**< [C] */
	void *t_stack;                      /**< [C] lowest address of its stack */
	size_t t_stacksize;                 /**< [C] bytes */
	struct kmutex *t_locks[T_MAXLOCKS]; /**< [T] held mutexes, so that a failed check can give them back */
	int t_nlocks;                       /**< [T] */
	struct check_frame *t_check;        /**< [T] where a failed check returns to; NULL outside checks */
	void (*t_func)(void *);             /**< [C] */
	void *t_arg;                        /**< [C] */
} kthread_t;

enum { T_RUN, T_ONPROC, T_SLEEP, T_DEAD };
#define T_NOMEMWAIT   0x1
#define T_VMPOPULATOR 0x2 /**< is refilling the VA allocator's own segment pool */

extern kthread_t *all_threads; /**< every thread structure there has been, newest first; sched_lock to add one, none leaves */

/** Make a thread and let it run; name is cut to 15 characters. It ends by returning or thread_exit(). Sleeps for memory. */
kthread_t *thread_create(const char *name, void (*func)(void *), void *arg);
/** The same for a thread that stays on one CPU, which is online. */
kthread_t *thread_create_on(cpu_t *c, const char *name, void (*func)(void *), void *arg);
void thread_exit(void) NORETURN;
/** Let others run; returns when it is this thread's turn again. */
void thread_yield(void);
/** Wait until a thread has ended, and free it. One joiner a thread; a thread that nobody joins keeps its stack for ever. */
void thread_join(kthread_t *t);
/** Sleep for so many ticks, at least one. Needs a running clock. */
void thread_delay(uint64_t ticks);
/** Start the tick and the scheduler's use of it on this CPU; interrupts are on afterwards. */
void clock_start(void);
/** Something that has a time limit of its own begins: the watchdog counts its ticks from here. */
void watchdog_restart(void);
extern volatile uint64_t lbolt; /**< ticks since boot, 100 a (emulated) second */

/** Keep this thread on this CPU until the matching kpreempt_enable(); nests, never blocks. */
void kpreempt_disable(void);
void kpreempt_enable(void);

#endif
