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
/** Run what other CPUs have asked of this one. Every waiting loop calls it. Callable with interrupts on or off. */
void xc_poll(void);
/** Hold all other CPUs still (they spin answering nothing but xc_resume) / let them go on: for checkpoints and panic. */
void xc_pause_others(void);
void xc_resume_others(void);
/** For panic: stop the others for good, without waiting for ever for one that does not answer. */
void xc_stop_others(void);

#endif
