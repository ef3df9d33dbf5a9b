/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Starting the other CPUs [SDM3 8.4.4]: INIT to all of them, then one start-up message after the other.
 *
 * Each gets its cpu_t and its idle thread first, and begins life on that thread's stack. The next one is started when it
 * takes part in scheduling, because they share one page of parameters.
 */
#include <kern/thread_impl.h>
#include <sys/cpu.h>
#include <sys/kmem.h>
#include <sys/printf.h>
#include <sys/startup.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <x86/acpi.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>
#include <x86/features.h>
#include <x86/mp.h>

#define START_TICKS 20 /* patience with one CPU: a fifth of a second */

static uint64_t cpus = NCPU;
TUNABLE_NUMBER(cpus, "cpus", "start at most so many CPUs");

static volatile uintptr_t ap_page = AP_PAGE; /* volatile: the compiler mistrusts constants that low */

/* First C function of a new CPU, on its idle thread's stack, interrupts off. */
static void
ap_entry(cpu_t *c)
{
	md_cpu_init(c);
	md_set_kstack(c, (uintptr_t)c->cpu_idle->t_stack + c->cpu_idle->t_stacksize);
	pat_init();
	apic_cpu_init();
	ap_main(c);
}

static cpu_t *
cpu_create(int id, uint32_t apic)
{
	cpu_t *c = kmem_zalloc(sizeof(*c), KM_SLEEP);

	c->cpu_id = id;
	c->cpu_apic_id = apic;
	c->cpu_thread = thread_create_idle(c);
	c->cpu_thread->t_state = T_ONPROC;
	c->cpu_thread->t_cpu = c;
	return (c);
}

static void
params_fill(struct ap_params *p, cpu_t *c)
{
	bool has_efer = x86_features.nx || x86_features.long_mode;

	p->ap_cr3 = (uint32_t)read_cr3();
	p->ap_cr4 = (uint32_t)read_cr4();
	p->ap_cr0 = (uint32_t)read_cr0();
	p->ap_efer = has_efer ? (uint32_t)rdmsr(MSR_EFER) & ~EFER_LMA : 0;
	p->ap_stack = (uintptr_t)c->cpu_idle->t_stack + c->cpu_idle->t_stacksize;
	p->ap_entry = (uintptr_t)ap_entry;
	p->ap_cpu = (uintptr_t)c;
}

/* The second message is for CPUs that have missed the first; one that runs already ignores it. */
static bool
cpu_start(cpu_t *c)
{
	params_fill((struct ap_params *)(ap_page + (uintptr_t)(ap_params - aptramp_start)), c);
	for (int try = 0; try < 2; try++) {
		apic_send_startup(c->cpu_apic_id, AP_PAGE);
		for (int i = 0; i < START_TICKS && c->cpu_online != CPU_SCHEDULES; i++)
			thread_delay(1);
		if (c->cpu_online == CPU_SCHEDULES)
			return (true);
	}
	return (false);
}

static void
others_init(void)
{
	for (int i = 0; i < acpi_ncpus; i++) {
		if (acpi_apic_ids[i] != CPU->cpu_apic_id)
			apic_send_init(acpi_apic_ids[i]);
	}
	thread_delay(2); /* 10 ms at least [SDM3 8.4.4.1] */
}

/* The parameters, CR3 among them, are those of the boot CPU running the kernel's own address space. */
void
mp_start(void)
{
	int id = 1;

	if (acpi_ncpus < 2 || cpus < 2)
		return;
	memcpy((void *)ap_page, aptramp_start, (size_t)(aptramp_end - aptramp_start));
	others_init();
	for (int i = 0; i < acpi_ncpus && id < NCPU && (uint64_t)id < cpus; i++) {
		if (acpi_apic_ids[i] == CPU->cpu_apic_id)
			continue;
		cpu[id] = cpu_create(id, acpi_apic_ids[i]);
		if (cpu_start(cpu[id]))
			id++;
		else
			printf("mp_start: the CPU with APIC id %u does not start\n", acpi_apic_ids[i]);
	}
}
