/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The boot CPU and its first thread, which exist before there is any memory to allocate.
 */
#include <sys/cpu.h>
#include <sys/md.h>
#include <sys/startup.h>
#include <sys/string.h>
#include <sys/thread.h>

cpu_t *cpu[NCPU];
volatile int ncpus;
bool cpu_ready;

static cpu_t boot_cpu ALIGNED(16);
static kthread_t boot_thread;
extern char boot_stack[], boot_stack_top[];

void
cpu_init_boot(void)
{
	kthread_t *t = &boot_thread;

	t->t_state = T_ONPROC;
	t->t_cpu = t->t_bound = &boot_cpu; /* checkpoints are there, where Bochs' debugger looks first */
	t->t_stack = boot_stack;
	t->t_stacksize = (size_t)(boot_stack_top - boot_stack);
	strlcpy(t->t_name, "boot", sizeof(t->t_name));
	all_threads = t;
	boot_cpu.cpu_thread = t;
	cpu[0] = &boot_cpu;
	md_idt_init();
	md_cpu_init(&boot_cpu);
	md_set_kstack(&boot_cpu, (uintptr_t)boot_stack_top);
	boot_cpu.cpu_online = CPU_SCHEDULES;
	ncpus = 1;
	cpu_ready = true;
	features_init();
}
