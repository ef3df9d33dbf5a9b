/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Synchronous cross-calls, and the state of the other CPUs.
 */
#ifndef SYS_XCALL_H
#define SYS_XCALL_H

#include <sys/cpu.h>

typedef void (*xc_func_t)(uintptr_t, uintptr_t);

/**
 * Run func(a, b) on every CPU of the set (this one included if it is in it) and return when all have run it.
 * func runs with interrupts off and must take no lock. While it waits, this CPU answers other CPUs' cross-calls.
 * Call with preemption disabled. CPUs that are not online are left out.
 */
void xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b);
/** Run what other CPUs have asked of this one, and stand still if they want that. Every waiting loop calls it. Callable with interrupts on or off. */
void xc_poll(void);
/**
 * Hold all other CPUs still, for checkpoints. Where they stand they may hold any mutex, but no spinlock unless they were
 * waiting for another. They still answer cross-calls. Call with preemption disabled until xc_resume_others(); does not nest.
 */
void xc_pause_others(void);
/** Does this CPU hold the others now? */
bool xc_others_paused(void);
/** Let them go on. */
void xc_resume_others(void);
/** For panic: stop the others for good, by NMI, without waiting for ever for one that does not answer. See cpu_stopped. */
void xc_stop_others(void);

#endif
