/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Start-up, in the order of spec 8.8; then what the command line asks for.
 *
 * To read the kernel from the top, begin here.
 */
#include <boot/boot.h>
#include <check/check.h>
#include <check/drill.h>
#include <check/invariants.h>
#include <check/programs.h>
#include <check/trial.h>
#include <hat/hat_impl.h>
#include <hat/kbm.h>
#include <kern/scene.h>
#include <kern/tour.h>
#include <monitor/monitor.h>
#include <sys/bootinfo.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/printf.h>
#include <sys/startup.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <sys/windows.h>
#include <vm/page.h>
#include <x86/acpi.h>
#include <memmap.h>

#define VGA_TEXT    0xb8000u
#define MIN_RAM_KIB (12 * 1024) /* image up to 6 MiB, page array, tables, and something to map */

static uint64_t want_tour = 1;
TUNABLE_NUMBER(want_tour, "tour", "1: build the address spaces of the tour and stop at its checkpoints");
static char lab_name[32] = "-";
TUNABLE_STRING(lab_name, "lab", "what the host calls this run; only repeated in %hello");
static uint64_t stop_early;
TUNABLE_NUMBER(stop_early, "hang",
    "tests of the host's tools: 1 loop for ever after start-up, 2 with interrupts off, 3 triple fault, 4 panic");

static ulong_t
ram_kib(void)
{
	paddr_t bytes = 0;

	for (int i = 0; i < bootinfo.bi_nram; i++)
		bytes += bootinfo.bi_ram[i].br_end - bootinfo.bi_ram[i].br_start;
	return ((ulong_t)(bytes >> 10));
}

extern uint64_t check_seed;

static void
hello(void)
{
	static const char *const mode[] = { [2] = "nonpae", [3] = "pae", [4] = "long" };

	record("%%hello version=1 flavor=%s mode=%s cpus=%d seed=%llu lab=%s ram=%lu kernelbase=0x%lx\n", FLAVOR_NAME,
	    mode[mmu.num_level], MAX(acpi_ncpus, 1), (unsigned long long)check_seed, lab_name, ram_kib(), kernelbase);
	printf("hatlab %s: %lu KiB of memory\n", FLAVOR_NAME, ram_kib());
	if (ram_kib() < MIN_RAM_KIB)
		panic("too little memory: %lu KiB, at least %u KiB are needed", ram_kib(), MIN_RAM_KIB);
}

/** Before the HAT: one CPU, boot's tables, memory that is never given back. */
static void
start_boot(uint32_t magic, uint32_t info)
{
	cpu_init_boot();
	mmu_init();
	kbm_init();
	bootinfo_read(magic, info);
	if (!tunables_parse(bootinfo.bi_cmdline))
		run_done("fail");
	boot_memory_init();
	kbm_map(WINDOW_VA(WINDOW_VGA), VGA_TEXT, 0);
	vga_va = (volatile uint16_t *)WINDOW_VA(WINDOW_VGA);
	console_init();
	acpi_init();
	hello();
	vmem_init();
	kmem_init();
}

/** Boot's tables become the kernel's, and nothing is moved. */
static void
start_hat(void)
{
	hat_init();
	hat_kern_alloc();
	page_init();
	if (want_tour)
		checkpoint("boot-tables");
	hat_kern_setup();
	invariants_early("after adoption");
	if (want_tour)
		checkpoint("adopted");
	hat_cpu_online(CPU);
	hat_init_finish();
}

static void
start_cpus(void)
{
	pat_init();
	apic_init();
	sched_init();
	clock_start();
	kmem_thread_init();
	mp_start();
	printf("%d CPUs\n", ncpus);
	clear_boot_mappings(0, userlimit);
	invariants_early("after clear_boot_mappings()");
	invariants_init(); /* now, so that a panic finds it */
}

static void NOINLINE
stop_here(void)
{
	static const char no_table[10];
	volatile ulong_t spin = 1;

	if (stop_early == 2)
		__asm__ volatile("cli");
	if (stop_early == 3)
		__asm__ volatile("lidt %0; int3" : : "m"(no_table));
	if (stop_early == 4)
		panic("stopped on request");
	while (stop_early != 0)
		spin++;
}

void kmain(uint32_t magic, uint32_t info);

void
kmain(uint32_t magic, uint32_t info)
{
	start_boot(magic, info);
	start_hat();
	start_cpus();
	monitor_at("1");
	stop_here();
	trial_check_select();
	kern_selftest();
	if (check_wanted())
		check_main();
	else if (scene_wanted())
		scene();
	else if (want_tour)
		tour();
	drill_main();
	programs_main();
	kmem_reap_settle();
	run_done(check_invariants() == 0 ? "ok" : "fail");
}
