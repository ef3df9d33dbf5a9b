/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Processes: an address space and one thread in ring 3; parents, children, and what becomes of them.
 *
 * Locks: proc_lock guards the list, the family and the states. It comes before any a_lock and is never held while a
 * process's own space is made or destroyed.
 *
 * Field letters: [C] constant, [P] proc_lock, [T] its own thread only.
 */
#ifndef VM_PROCESS_H
#define VM_PROCESS_H

#include <sys/types.h>

struct as;
struct image;
struct kthread;
struct trapframe;

#define PROC_MAX	128	/**< at one time */

struct process {
	struct process	*p_next;	/**< [P] list of all */
	struct process	*p_parent;	/**< [P] who may wait for it; NULL: the kernel */
	struct as	*p_as;		/**< [P] for others, who must hold proc_lock while they use it; changed by [T] */
	struct kthread	*p_thread;	/**< [P] */
	uint_t		p_pid;		/**< [C] 1, 2, ... */
	bool		p_ended;	/**< [P] waits for its parent */
	int		p_status;	/**< [P] exit status, or EXIT_KILLED + trap number */
	char		p_name[32];	/**< [T] of its program */
	char		p_why[96];	/**< [P] why it was killed; "" */
	uintptr_t	p_pc, p_sp;	/**< [T] where a new program starts */
	struct trapframe *p_frame;	/**< [T] of a child: its parent's registers; freed when it starts */
};

/** A child of the kernel's, running the program. @return NULL after saying on the console what is wrong */
struct process *proc_create(const struct image *im, const char *arg);
/** Wait for a child of the kernel's to end. @return its pid (name, status and why it was killed are copied out), 0: there is none */
uint_t proc_wait_kernel(struct process *out);
/** Call fn for the address space of every process that has one, with proc_lock held. */
void proc_for_each_as(void (*fn)(struct as *));
/** Processes that exist, ended ones included. */
uint_t proc_count(void);

/** @name For the running process @{ */
/** The process that the running thread belongs to, or NULL. */
struct process *proc_current(void);
/** End it: its space goes now, the rest when its parent waits. */
void proc_exit(int status) NORETURN;
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
