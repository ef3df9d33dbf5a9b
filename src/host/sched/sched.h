/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The border between the scenarios (inside) and the search for schedules (outside), in plain C types only, as in machine.h.
 */
#ifndef HOST_SCHED_SCHED_H
#define HOST_SCHED_SCHED_H

#define SCHED_CPUS 3 /**< most CPUs that take part in a scenario */

/* ------------------------------------------------------------------ provided outside: one of search.c, threads.c */

/**
 * Run `cpu_runs` on each of ncpus CPUs, in all orders that the options ask for, each time from the state of now; after each
 * run that comes to its end, `judge`. @return how many schedules went wrong; the report is printed
 */
int sched_explore(const char *name, unsigned ncpus, void (*cpu_runs)(int id), void (*judge)(void));
/** The CPU whose turn it is, -1: none, the world is still being made or is being judged. */
int sched_me(void);

/**
 * @name What host_before(), host_after(), host_reads() and host_wait() mean for the CPU whose turn it is
 * @{
 */
void sched_before(const volatile void *what);
void sched_after(const volatile void *what);
void sched_reads(const volatile void *what);
/** An object is about to be given back. */
void sched_frees(const volatile void *what, unsigned long size);
void sched_wait(_Bool (*ready)(const void *), const void *what, const char *why);
/** Have CPU `id` interrupted where it stands and run handler(arg), nobody seeing it in between; `cpu` is for scene_takes_interrupts(). */
void sched_interrupt(int id, const void *cpu, void (*handler)(void *), void *arg);
/** What all but this CPU have done so far, as a number that grows. */
unsigned long sched_done_by_others(int me);
/** It never matters who comes first here: statistics. */
void sched_ignore(const volatile void *what, unsigned long size);
/** This is read without a lock on purpose, though the language has a word against it. */
void sched_hint(const volatile void *what, unsigned long size);
/** @} */

/* ------------------------------------------------------------------ provided inside */

/** Boot the machine and make the scenario ready, then sched_explore(). @return as that */
struct machine_options;
int scene_run(const char *name, const struct machine_options *machine);
/** The name of the n-th scenario. NULL: there are no more */
const char *scene_name(unsigned n);
/** May this CPU be interrupted now? */
_Bool scene_takes_interrupts(const void *cpu);
/** As many CPUs as a scenario wants. 0: there is none of that name */
unsigned scene_cpus(const char *name);

#endif
