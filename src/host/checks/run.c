/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The check framework of the kernel (src/check), unchanged, in the pretend machine: what it asks of the kernel around it.
 *
 * A check that the program does not survive ends the program: src/tools/quick.py goes on behind it in another one.
 */
#include <check/check_impl.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <host/checks/checks.h>
#include <host/mmu.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/vmem.h>
#include <memmap.h>

const char trap_return[1], trap_return_ask[1]; /* nobody returns there: there are no traps */

/* ------------------------------------------------------------------ time */

static uint_t patience; /* milliseconds */

/* Somebody waits longer than a check may take. Where the kernel's clock interrupts, here somebody else's turn is over. */
void
checks_tick(void)
{
	if (CPU->cpu_intr_depth == 0)
		check_tick();
}

static void
stuck(unsigned long pc)
{
	printf("%%stuck pc=0x%lx ms=%u\n", pc, patience);
	machine_exit(1);
}

void
watchdog_restart(void)
{
	machine_patience(patience, stuck);
}

/* ------------------------------------------------------------------ memory */

/** The framework looks at everything next. */
void
kmem_reap_settle(void)
{
	if (host_reap_wanted) {
		host_reap_wanted = false;
		kmem_reap_sync();
	}
	host_windows_not_global();
}

/** The heap is only computed with: nothing can be reached there but through the MMU. */
void *
vmem_alloc(vmem_t *v, size_t size, int vmflag)
{
	static uintptr_t next = HEAP_BASE + (HEAP_END - HEAP_BASE) / 2;
	uintptr_t va = next;

	(void)v, (void)vmflag;
	next += size;
	return ((void *)va);
}

void
vmem_free(vmem_t *v, void *addr, size_t size)
{
	(void)v, (void)addr, (void)size;
}

/* Windows and the linear map are pages of the host's own; everything else that the MMU finds is behind it. */
static void *
through_mmu(uintptr_t va, uint_t how, bool *fault)
{
	paddr_t pa;
	uint_t why;

	if (va - WINDOW_BASE < HOST_PAGES - WINDOW_BASE + HOST_NPAGES * PAGESIZE || (HOST_KPM != 0 && va - HOST_KPM < HOST_RAM))
		return (NULL);
	why = mmu_access(va, how, &pa);
	if (why & MMU_PRESENT)
		*fault = true;
	return (why == 0 ? machine_phys(pa) : NULL);
}

/* ------------------------------------------------------------------ words */

/** The program that reads it knows the names. */
void
symbol_format(char *buf, size_t size, uintptr_t pc)
{
	if (pc == 0)
		strlcpy(buf, "a wait", size);
	else
		snprintf(buf, size, "<0x%lx>", (ulong_t)pc);
}

/** A check begins or ends, for instance: one of the boot window may have stored its entry as it is in the kernel. */
static void
tell(const char *line)
{
	if (khat_running)
		host_windows_not_global();
	printf("%s", line);
}

void
run_done(const char *result)
{
	record("%%done result=%s\n", result);
	machine_exit(strcmp(result, "ok") == 0 ? 0 : 1);
}

void
test_checks(void)
{
	host_record = tell;
	patience = host_options->patience;
	host_boot();
	host_reach = through_mmu;
	host_switch = checks_switch;
	host_intercept = check_intercept;
	check_main();
	run_done("ok");
}
