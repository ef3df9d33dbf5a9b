/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Pretend CPUs and threads: one thread for each CPU. How they take turns is in alone.c and sched/together.c.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <hat/hat_impl.h>
#include <kern/hat_hooks.h>
#include <sys/atomic.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

cpu_t *cpu[NCPU];
volatile int ncpus;
bool cpu_ready;
bool host_populates;
#ifndef SCHEDULES
struct cpu *host_cpu;
struct kthread *host_thread;
#endif
volatile uint64_t lbolt;

static cpu_t cpu_storage[NCPU];
static kthread_t thread_storage[NCPU];
uint_t host_yields, host_patience;
bool (*host_switch)(void);

void
host_on(int id)
{
	host_cpu = cpu[id];
	host_thread = host_cpu->cpu_thread;
#ifndef SCHEDULES
	host_patience = 0;
#endif
}

static cpu_t *
new_cpu(int id)
{
	cpu_t *c = &cpu_storage[id];
	kthread_t *t = &thread_storage[id];

	c->cpu_self = c;
	c->cpu_id = id;
	c->cpu_apic_id = (uint32_t)id;
	c->cpu_thread = c->cpu_idle = t;
	t->t_cpu = t->t_bound = c;
	t->t_state = T_ONPROC;
	snprintf(t->t_name, sizeof(t->t_name), "cpu%d", id);
	cpu[id] = c;
	return (c);
}

void
host_first_cpu(void)
{
	new_cpu(0)->cpu_online = CPU_SCHEDULES;
	ncpus = 1;
	cpu_ready = true;
	host_on(0);
}

/** As the entry code and sched.c do it: the boot CPU's registers, then into the HAT, then an empty TLB. */
void
host_start_cpus(void)
{
	for (int id = 1; id < (int)host_options->cpus; id++) {
		cpu_t *c = new_cpu(id);

		mmu_copy_registers(0, id);
		host_on(id);
		hat_cpu_online(c);
		write_cr4(read_cr4() ^ CR4_PGE);
		write_cr4(read_cr4() ^ CR4_PGE);
		write_cr3(read_cr3());
		c->cpu_online = CPU_SCHEDULES;
		ncpus++;
	}
	host_on(0);
}

cpuset_t
host_exempt(void)
{
	cpuset_t set = 0;

	for (int id = 0; id < ncpus; id++)
		if (cpu[id]->cpu_tlb_info & TLB_INVAL_ALL)
			set |= CPUSET(id);
	return (set);
}

void
kpreempt_disable(void)
{
	curthread->t_preempt++;
}

void
kpreempt_enable(void)
{
	if (--curthread->t_preempt < 0)
		panic("kpreempt_enable: preemption was on");
}

bool
vmem_is_populator(void)
{
	return (host_populates || (curthread->t_flags & T_VMPOPULATOR) != 0);
}
