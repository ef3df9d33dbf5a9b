/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Pretend CPUs and threads: one thread for each CPU, and the test says which CPU runs.
 *
 * A cross-call runs at once, as if the other CPUs had been interrupted where they stand. Nothing runs on its own.
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

#define YIELDS_MAX 100000u /**< without anybody having been helped: an endless loop */

cpu_t *cpu[NCPU];
volatile int ncpus;
bool cpu_ready;
bool host_populates;
struct cpu *host_cpu;
struct kthread *host_thread;
volatile uint64_t lbolt;

static cpu_t cpu_storage[NCPU];
static kthread_t thread_storage[NCPU];
static uint_t yields;
bool (*host_switch)(void);
uint_t host_yields;

void
host_on(int id)
{
	host_cpu = cpu[id];
	host_thread = host_cpu->cpu_thread;
	yields = 0;
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

/** Nobody else can run meanwhile; who waits for somebody waits for ever, and is told so. */
void
thread_yield(void)
{
	host_may_block("thread_yield");
	host_yields++;
	if (host_between != NULL)
		host_between();
	if (host_switch != NULL && host_switch())
		return;
	if (++yields > YIELDS_MAX)
		panic("thread_yield: %u times in a row; nothing that is waited for can happen", YIELDS_MAX);
}

/** Time passes only where somebody waits. */
void
thread_delay(uint64_t ticks)
{
	lbolt += ticks;
	curthread->t_state = T_SLEEP;
	thread_yield();
	curthread->t_state = T_ONPROC;
}

void
xc_call(cpuset_t set, xc_func_t func, uintptr_t a, uintptr_t b)
{
	int me = CPU->cpu_id;
	uint_t y = yields;

	for (int id = 0; id < NCPU; id++) {
		if (!(set & CPUSET(id)) || cpu[id] == NULL || !cpu[id]->cpu_online)
			continue;
		host_on(id);
		CPU->cpu_intr_depth++;
		func(a, b);
		CPU->cpu_intr_depth--;
	}
	host_on(me);
	yields = y;
}

void
xc_poll(void)
{
}

/** Whoever spins waits for somebody. */
void
pause(void)
{
	if (host_switch != NULL)
		(void)host_switch();
}

bool
vmem_is_populator(void)
{
	return (host_populates || (curthread->t_flags & T_VMPOPULATOR) != 0);
}
