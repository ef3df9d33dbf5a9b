/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The ways to stop: panic, assertion, stub, fatal trap.
 *
 * A check that exercises a student's function gets the first word (check_intercept()), but only where jumping out of
 * the middle of things is safe: not while a spinlock is held or a handler runs.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <kern/console.h>
#include <kern/panic_impl.h>
#include <monitor/monitor.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/symbols.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

const char *volatile panicstr;
static volatile uint32_t panic_owner; /* CPU + 1 */
static volatile bool panic_told;      /* the message is out */

static void
halt_for_ever(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

static uint32_t
my_number(void)
{
	return (cpu_ready ? (uint32_t)CPU->cpu_id + 1 : 1);
}

/* Port E9 has the record; a person at the screen wants the message too. */
static void
screen_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)console_vprint(CONS_NOT_E9, fmt, ap);
	va_end(ap);
}

void
panic_begin(const char *fmt)
{
	uint32_t owner;

	cli();
	owner = atomic_cas_32(&panic_owner, 0, my_number());
	if (owner == 0) {
		panicstr = fmt;
		if (cpu_ready)
			xc_stop_others();
	} else if (owner != my_number()) {
		halt_for_ever();
	}
}

static void
control_dump(void)
{
	int width = (int)sizeof(uintptr_t) * 2;

	printf("  cr0 %08lx cr2 %0*lx cr3 %08lx cr4 %08lx\n", (ulong_t)read_cr0(), width, (ulong_t)read_cr2(), (ulong_t)read_cr3(),
	    (ulong_t)read_cr4());
}

void
panic_end(const char *text, const struct trapframe *tf)
{
	if (panic_told) {
		record("panic again: %s\n", text);
		run_done("panic");
	}
	panic_told = true;
	if (tf != NULL) {
		md_dump_regs(tf);
		control_dump();
	}
	record("%%panic cpu=%u text=%s\n", my_number() - 1, text);
	screen_print("panic: %s\n", text);
	if (tf != NULL)
		backtrace(tf_pc(tf), tf_fp(tf));
	else
		backtrace(0, (uintptr_t)__builtin_frame_address(0));
	invariants_at_panic();
	monitor_panic();
	run_done("panic");
}

static bool
may_intercept(void)
{
	ulong_t saved;
	bool may;

	if (!cpu_ready || panicstr != NULL)
		return (false);
	saved = intr_save();
	may = CPU->cpu_spin_depth == 0 && CPU->cpu_intr_depth == 0;
	intr_restore(saved);
	return (may);
}

void
panic(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (may_intercept())
		check_intercept("panic", NULL, 0, text);
	panic_begin(fmt);
	panic_end(text, NULL);
}

void
assfail(const char *what, const char *file, int line)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "assertion failed: %s, %s:%d", what, file, line);
	if (may_intercept())
		check_intercept("assert", file, line, text);
	panic_begin("assertion failed");
	panic_end(text, NULL);
}

void
lab_todo(int lab, const char *function, const char *section)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "%s() is yours to write: lab %d, handout section %s", function, lab, section);
	if (may_intercept())
		check_intercept("todo", NULL, 0, text);
	panic_begin("stub");
	panic_end(text, NULL);
}

void
panic_trap(const struct trapframe *tf, const char *text)
{
	if (may_intercept())
		check_intercept("trap", NULL, 0, text);
	panic_begin("trap");
	panic_end(text, tf);
}
