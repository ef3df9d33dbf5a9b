/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Every trap and interrupt ends up here.
 *
 * A page fault is offered first to the VM system, then to the copy that survives faults, then to a running check, and stops
 * the machine at last. A trap from ring 3 other than that is user_trap()'s. Interrupts do their work with interrupts off;
 * on their way out the thread may be switched.
 */
#include <check/check.h>
#include <kern/hat_hooks.h>
#include <kern/panic_impl.h>
#include <kern/thread_impl.h>
#include <monitor/monitor.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/md.h>
#include <sys/printf.h>
#include <sys/symbols.h>
#include <sys/xcall.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>
#include <x86/vectors.h>

void trap(struct trapframe *tf);

static const char *const trap_names[VEC_EXCEPTIONS] = {
	[0] = "divide error",
	[1] = "debug",
	[2] = "NMI",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound",
	[6] = "invalid opcode",
	[7] = "no FPU",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack segment",
	[13] = "general protection",
	[14] = "page fault",
	[16] = "FPU error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "SIMD error",
};

bool __attribute__((weak)) vm_fault(uintptr_t va, uint32_t error, struct trapframe *tf)
{
	(void)va, (void)error, (void)tf;
	return (false);
}

bool __attribute__((weak)) user_trap(struct trapframe *tf)
{
	(void)tf;
	return (false);
}

/* A check that steps through what it tries (labs/lab1-entries/step.h). */
bool __attribute__((weak)) step_trap(struct trapframe *tf)
{
	(void)tf;
	return (false);
}

void __attribute__((weak)) user_return(struct trapframe *tf) { (void)tf; }

const char *
trap_name(uint_t vector)
{
	return (vector < VEC_EXCEPTIONS && trap_names[vector] != NULL ? trap_names[vector] : "unknown trap");
}

/* [SDM3 4.7]: what a page fault's error code says. */
static void
fault_text(char *buf, size_t size, uintptr_t va, uint32_t error)
{
	(void)snprintf(buf, size, "page fault at 0x%0*lx: %s %s %s%s", (int)sizeof(va) * 2, (ulong_t)va,
	    error & 4 ? "user" : "kernel",
	    error & 16    ? "fetch" :
		error & 2 ? "write" :
			    "read",
	    error & 1 ? "not permitted" : "of a page that is not there", error & 8 ? ", reserved bit set" : "");
}

/* A double fault with CR2 just below the running thread's stack: the stack is what there was too little of. */
static bool
stack_overflown(uintptr_t va)
{
	uintptr_t stack = (uintptr_t)curthread->t_stack;

	return (va < stack && va >= stack - PAGESIZE);
}

static void
trap_text(char *buf, size_t size, const struct trapframe *tf, uintptr_t cr2)
{
	char what[120], where[80];
	uint_t vector = (uint_t)tf->tf_trapno;

	symbol_format(where, sizeof(where), tf_pc(tf));
	if (vector == VEC_PF)
		fault_text(what, sizeof(what), cr2, (uint32_t)tf->tf_error);
	else if (vector == VEC_DOUBLE && stack_overflown(cr2))
		(void)snprintf(what, sizeof(what), "kernel stack overflow (double fault, address 0x%lx)", (ulong_t)cr2);
	else
		(void)snprintf(
		    what, sizeof(what), "%s (vector %u, error code 0x%x)", trap_name(vector), vector, (uint_t)tf->tf_error);
	(void)snprintf(buf, size, "%s, in %s%s, thread %s", what, tf_user(tf) ? "user code at " : "", where, curthread->t_name);
}

static void
trap_fatal(struct trapframe *tf, uintptr_t cr2)
{
	char text[250];

	if (!cpu_ready)
		panic("trap %u at 0x%lx before the CPU is set up", (uint_t)tf->tf_trapno, (ulong_t)tf_pc(tf));
	trap_text(text, sizeof(text), tf, cr2);
	panic_trap(tf, text);
}

static bool
fix_up(struct trapframe *tf)
{
	uintptr_t pc = tf_pc(tf);

	if (pc < (uintptr_t)md_copy_fault_start || pc >= (uintptr_t)md_copy_fault_end)
		return (false);
	tf_set_pc(tf, (uintptr_t)md_copy_fault_fixup);
	return (true);
}

/* Whatever ran with interrupts on may have its fault resolved with interrupts on: that may sleep. */
static void
page_fault(struct trapframe *tf)
{
	uintptr_t va = read_cr2();
	bool done;

	if (tf_intr(tf))
		sti();
	done = panicstr == NULL && vm_fault(va, (uint32_t)tf->tf_error, tf);
	cli();
	if (!done && !fix_up(tf))
		trap_fatal(tf, va);
}

/* Stopped for good by another CPU's panic: leave a note and be silent. */
static void
nmi(struct trapframe *tf)
{
	cpu_t *c = CPU;

	if (panicstr == NULL)
		trap_fatal(tf, 0);
	c->cpu_stop_pc = tf_pc(tf);
	c->cpu_stop_fp = tf_fp(tf);
	c->cpu_stopped = 1;
	for (;;) {
		cli();
		hlt();
	}
}

static void
exception(struct trapframe *tf, uint_t vector)
{
	if (vector == VEC_PF) {
		page_fault(tf);
	} else if (vector == VEC_NMI) {
		nmi(tf);
	} else if (tf_user(tf)) {
		sti();
		if (!user_trap(tf))
			trap_fatal(tf, 0);
		cli();
	} else if (vector == VEC_DEBUG && step_trap(tf)) {
		return;
	} else if (vector != VEC_GP || !fix_up(tf)) { /* GP: an address with no meaning, such as one in the hole */
		trap_fatal(tf, read_cr2());
	}
}

/* A CPU that was halted may have been left out of shootdowns: that is made up for before anything else is touched. */
static void
interrupt(struct trapframe *tf, uint_t vector)
{
	cpu_t *c = CPU;

	if (c->cpu_tlb_info != 0)
		tlb_service();
	c->cpu_intr_depth++;
	if (vector == VEC_TICK)
		clock_tick(tf);
	else if (vector == VEC_RESCHED)
		c->cpu_resched = 1;
	else if (vector == VEC_XCALL)
		xc_poll();
	if (vector > VEC_SYSCALL && vector != VEC_SPURIOUS)
		apic_eoi();
	c->cpu_intr_depth--;
	if (vector == VEC_TICK) {
		monitor_tick();
		check_tick();
	}
}

void
trap(struct trapframe *tf)
{
	uint_t vector = (uint_t)tf->tf_trapno;

	if (vector < VEC_EXCEPTIONS || vector == VEC_SYSCALL)
		exception(tf, vector);
	else
		interrupt(tf, vector);
	if (CPU->cpu_resched && tf_intr(tf))
		sched_preempt();
	if (tf_user(tf))
		user_return(tf);
}
