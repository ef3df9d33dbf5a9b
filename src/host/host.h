/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the inside files share: pretend CPUs, start-up, and the tests.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <host/machine.h>
#include <sys/cpu.h>
#include <sys/mutex.h>
#include <vm/hat.h>

extern const struct machine_options *host_options;

/** Let the CPU with this number be the one that runs. */
void host_on(int id);
/** Bring the CPUs up that the options want, CPU 0 excepted. */
void host_start_cpus(void);
/** The boot CPU and its thread. */
void host_first_cpu(void);

/** Memory and windows of the pretend machine. */
void host_machine(void);
/** From seed tables to a running HAT with all CPUs: what kmain() does up to clear_boot_mappings(). */
void host_boot(void);
/** The same up to, and without, adoption. */
void host_boot_tables(void);
/** And after hat_kern_setup(). */
void host_boot_rest(void);
/** Give the windows' entries what the invariants want of them where they are: after host_boot_tables(), and when they were stored anew. */
void host_windows_not_global(void);
/** Leave only what the entry code maps below the kernel's part to clear_boot_mappings(). */
#define HOST_LOW_END 0x400000ul
/** Physical memory, without the hole at 640 KiB. */
#ifdef SCHEDULES
#	define HOST_RAM 0x00800000ull /* enough for a few pages, and little to judge */
#else
#	define HOST_RAM 0x04000000ull
#endif

/** Pages at HOST_PAGES. */
#define HOST_NPAGES 64u

/** Asserts that the running thread may block, allocate and free here: no lock, no window, preemption on. */
void host_may_block(const char *what);
/** Asserts that it stays on its CPU here. */
void host_may_not_move(const char *what);
/** Is m one of this hat's locks? @return its rank, see lock.c */
const hat_t *host_hat_of(const void *addr);

/**
 * @name What is different where CPUs take turns: alone.c, sched/together.c
 * @{
 */
/** What others may see, named by its address, is about to be changed or looked at: somebody else may run first. */
void host_before(const volatile void *what);
/** And now it is done. */
void host_after(const volatile void *what);
/** It is looked at, and not changed. */
void host_reads(const volatile void *what);
/** An object is about to be given back: all of it changes. */
void host_frees(const void *what, size_t size);
/** The running thread has to wait. Returns when it may look again. */
void host_wait(bool (*ready)(const void *), const void *what, const char *why);
/** Is this a lock that is not the HAT's, but may be taken, last? */
bool host_knows_lock(const void *lock);
/** @} */

/** End the run with a message unless cond. */
#define expect(cond, ...) ((cond) ? (void)0 : panic(__VA_ARGS__))
/** Invariants and P5; panics when anything is wrong. */
void host_sound(const char *when);

/** Has somebody called kmem_reap()? Nobody does it in the background. */
extern bool host_reap_wanted;
/** Is the running thread one that fills an arena? */
extern bool host_populates;
/** CPUs told to flush when they wake. */
cpuset_t host_exempt(void);

/** Unload all that a user has; nothing of it is locked. */
void host_unload_user(hat_t *hat);
/** The same at its end, and then the hat goes. No CPU runs it. */
void host_free_space(hat_t *hat);

/**
 * @name The tests: return when all is well, panic otherwise
 * @{
 */
void test_boot(void);
void test_pure(void);
void test_panic(void);
void test_branches(void);
void test_build(void);
void test_misuse(void);
void test_steal(void);
void test_history(void);
void test_replays(void);
void test_share(void);
void test_drill(void);
void test_oracle(void);
void test_checks(void) __attribute__((weak)); /**< only in programs with the checks of a lab: checks/ */
/** @} */
/** If set, called each time a lock has been left, or somebody yields: what another CPU does just then. It must clear itself first. */
extern void (*host_between)(void);
/** If set, called while the tables are still boot's, and memory too. */
extern void (*host_early)(void);
/** Of test_early.c: for host_early. */
void early_run(void);
/** How often somebody has yielded. */
extern uint_t host_yields;
/** And without anybody having been helped. */
extern uint_t host_patience;
/** If set, is given each line that would be recorded: dumps, for instance. */
extern void (*host_record)(const char *line);
/**
 * @name If set: what the checks of a lab need to have here as they have it in the kernel (checks/)
 * @{
 */
/** Called before the program stops; it need not return. */
extern void (*host_intercept)(const char *kind, const char *file, int line, const char *text);
/** Where peek() and poke() find what the MMU maps at va. @return NULL: an address of the host's, or *fault: nothing is there */
extern void *(*host_reach)(uintptr_t va, uint_t how, bool *fault);
/** Let another thread run. @return false: there is none that can */
extern bool (*host_switch)(void);
/** @} */
/** What the running test wants to have said when the program dies. */
extern void (*host_last_words)(void);

#endif
