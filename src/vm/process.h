/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Processes: an address space and one or more threads in ring 3; parents, children, and what becomes of them.
 *
 * Locks: proc_lock guards the list, the family and the states. It comes before any a_lock and is never held while a
 * process's own space is made or destroyed.
 *
 * Field letters: [C] constant, [P] proc_lock, [T] its only thread (exec is refused while there are more).
 */
#ifndef VM_PROCESS_H
#define VM_PROCESS_H

#include <sys/types.h>

struct as;
struct image;
struct kthread;
struct trapframe;

#define PROC_MAX     128 /**< at one time */
#define PROC_THREADS 8   /**< that one process may make in its life */

struct process {
	struct process *p_next;                 /**< [P] list of all */
	struct process *p_parent;               /**< [P] who may wait for it; NULL: the kernel */
	struct as *p_as;                        /**< [P] while it has threads; a thread of it needs no lock to use it */
	struct kthread *p_thread[PROC_THREADS]; /**< [P] all that it ever had */
	uint_t p_nmade;                         /**< [P] how many of them */
	uint_t p_nthreads;                      /**< [P] those that have not left */
	uint_t p_pid;                           /**< [C] 1, 2, ... */
	volatile bool p_dying; /**< [P] its threads leave when they come to the border of ring 3; read without lock there */
	bool p_ended;          /**< [P] all have left, it waits for its parent */
	int p_status;          /**< [P] exit status, or EXIT_KILLED + trap number */
	char p_name[32];       /**< [T] of its program */
	char p_why[96];        /**< [P] why it was killed; "" */
};

/** A child of the kernel's, running the program. @return NULL after saying on the console what is wrong */
struct process *proc_create(const struct image *im, const char *arg);
/** Wait for a child of the kernel's to end. @return its pid (name, status and why it was killed are copied out), 0: there is none */
uint_t proc_wait_kernel(struct process *out);
/** Call fn for the address space of every process that has one, with proc_lock held. */
void proc_for_each_as(void (*fn)(struct as *));
/** Processes that exist, ended ones included. */
uint_t proc_count(void);

/**
 * @name For the running process
 * @{
 */
/** The process that the running thread belongs to, or NULL. */
struct process *proc_current(void);
/** End it: its space goes with its last thread, the rest when its parent waits. */
void proc_exit(int status) NORETURN;
/** End this thread; with the last one the process ends well. */
void proc_end_thread(void) NORETURN;
/** One more thread, starting at pc with sp. @return 0, or -1: there have been too many */
int proc_new_thread(uintptr_t pc, uintptr_t sp);
/** End it for what it did, with one line that says so. */
void proc_kill(const struct trapframe *tf, const char *fmt, ...) NORETURN PRINTFLIKE(2, 3);
/** @return the child's pid, -1 */
int proc_fork(const struct trapframe *tf);
/** Become another program: tf is its first frame afterwards. @return 0; -1, nothing has changed */
int proc_exec(struct trapframe *tf, const char *name, const char *arg);
/** Wait for a child. @return its pid and *status, -1: there is none */
int proc_wait(int *status);
/** @} */

#endif
