/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Per-CPU data. The current CPU is reached through a segment register (gs): md_cpu() in <sys/md.h>.
 */
#ifndef SYS_CPU_H
#define SYS_CPU_H

#include <sys/types.h>
#include <sys/md.h>

#define NCPU 8 /**< most CPUs that we start; their two page windows each fit one page of entries */

typedef ulong_t cpuset_t; /**< one bit a CPU */
#define CPUSET(id) ((cpuset_t)1 << (id))

#define CPU_ANSWERS   1 /**< takes part in cross-calls */
#define CPU_SCHEDULES 2 /**< and runs threads */

struct kthread;
struct hat;
struct hat_cpu_info;

/** What one CPU knows about itself. Fields: [O] touched by this CPU only, [C] constant once it runs, [A] atomic. */
typedef struct cpu {
	struct cpu *cpu_self;              /**< [C] must be first: md_cpu() reads it at gs:0 */
	struct kthread *cpu_thread;        /**< [O] the running thread, read at gs:sizeof (void *) */
	int cpu_id;                        /**< [C] 0 is the boot CPU */
	uint32_t cpu_apic_id;              /**< [C] */
	struct kthread *cpu_idle;          /**< [C] runs when nothing else can */
	struct hat *cpu_current_hat;       /**< [O] the hat whose tables CR3 names; the kernel's hat, or a user hat */
	struct hat_cpu_info *cpu_hat_info; /**< [C] page windows and VLP tables, see hat/hat_impl.h */
	volatile uint32_t cpu_tlb_info;    /**< [A] TLB_CPU_HALTED, TLB_INVAL_ALL: spec section 6, idle CPUs */
	volatile int cpu_resched;          /**< [O] a tick wants this CPU to switch threads */
	int cpu_intr_depth;                /**< [O] nesting of interrupt handlers; cross-call functions count as one */
	int cpu_spin_depth;                /**< [O] spinlocks held */
	volatile int cpu_online;           /**< [A] 0, CPU_ANSWERS, CPU_SCHEDULES */
	volatile int cpu_stopped;          /**< [O] halted for good by xc_stop_others(); the two below are valid then */
	uintptr_t cpu_stop_pc;             /**< [O] what it was doing */
	uintptr_t cpu_stop_fp;             /**< [O] */
	struct md_cpu cpu_md;              /**< [O] descriptor tables and task state of this CPU */
} cpu_t;

extern cpu_t *cpu[NCPU];   /**< by cpu_id; NULL when there is none */
extern volatile int ncpus; /**< CPUs that are online */
extern bool cpu_ready;     /**< CPU and curthread may be used: false only before cpu_init_boot() */

#define CPU       (md_cpu())
#define curthread (md_curthread())

#endif
