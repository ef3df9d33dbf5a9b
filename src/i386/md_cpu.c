/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Descriptor tables, task state and thread contexts (32-bit).
 *
 * All segments are flat but one: %gs starts at this CPU's struct cpu. There are two tasks. One is what everything runs
 * in; of it the CPU reads only the stack for traps from ring 3. The other exists for the double fault, whose usual
 * cause is a kernel stack with no room left for a trapframe: only a task switch changes the stack on a trap within
 * ring 0 [SDM3 6.12.2].
 */
#include <sys/cpu.h>
#include <sys/md.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <x86/vectors.h>

#define GATE_INTERRUPT 0x8eull /* present, ring 0, interrupt gate: interrupts off on entry */
#define GATE_TASK      0x85ull
#define GATE_RING3     0x60ull /* may be called by `int n` in ring 3 */
#define TSS_AVAILABLE  0x89ull
#define TSS_BUSY       (1ull << 41)

/** What lgdt and lidt read. */
struct pseudo_descriptor {
	uint16_t pd_limit;
	uint32_t pd_base;
} PACKED;

extern const char trap_stubs[], md_df_start[];
static uint64_t idt[256];

void trap(struct trapframe *tf);
void md_double_fault(void) NORETURN;

static void
gate_set(int vector, uint64_t attributes)
{
	uint32_t pc = (uintptr_t)trap_stubs + 16 * vector;

	idt[vector] = (pc & 0xffff) | GDT_KCODE << 16 | attributes << 40 | (uint64_t)(pc >> 16) << 48;
}

void
md_idt_init(void)
{
	for (int i = 0; i < 256; i++)
		gate_set(i, GATE_INTERRUPT);
	gate_set(VEC_BREAKPOINT, GATE_INTERRUPT | GATE_RING3);
	gate_set(VEC_SYSCALL, GATE_INTERRUPT | GATE_RING3);
	idt[VEC_DOUBLE] = GDT_DF_TSS << 16 | GATE_TASK << 40;
}

/* A descriptor spreads base and limit over its 8 bytes [SDM3 3.4.5]. */
static uint64_t
descriptor(uintptr_t base, uint32_t limit, uint64_t type, uint64_t flags)
{
	return ((limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | type << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
	    flags << 52 | (uint64_t)(base >> 24) << 56);
}

static void
gdt_fill(struct cpu *c)
{
	struct md_cpu *mc = &c->cpu_md;

	mc->mc_gdt[0] = 0;
	mc->mc_gdt[GDT_KCODE / 8] = descriptor(0, 0xfffff, 0x9b, 0xc);
	mc->mc_gdt[GDT_KDATA / 8] = descriptor(0, 0xfffff, 0x93, 0xc);
	mc->mc_gdt[GDT_UCODE / 8] = descriptor(0, 0xfffff, 0xfb, 0xc);
	mc->mc_gdt[GDT_UDATA / 8] = descriptor(0, 0xfffff, 0xf3, 0xc);
	mc->mc_gdt[GDT_KGS / 8] = descriptor((uintptr_t)c, sizeof(*c) - 1, 0x93, 0x4);
	mc->mc_gdt[GDT_TSS / 8] = descriptor((uintptr_t)&mc->mc_tss, sizeof(mc->mc_tss) - 1, TSS_AVAILABLE, 0);
	mc->mc_gdt[GDT_DF_TSS / 8] = descriptor((uintptr_t)&mc->mc_df_tss, sizeof(mc->mc_df_tss) - 1, TSS_AVAILABLE, 0);
}

static void
tss_fill(struct md_cpu *mc)
{
	struct md_tss *df = &mc->mc_df_tss;

	memset(&mc->mc_tss, 0, sizeof(mc->mc_tss));
	mc->mc_tss.ts_ss0 = GDT_KDATA;
	mc->mc_tss.ts_iomap = sizeof(mc->mc_tss); /* beyond the limit: no port is open to ring 3 */
	memset(df, 0, sizeof(*df));
	df->ts_iomap = sizeof(*df);
	df->ts_cr3 = read_cr3();
	df->ts_eip = (uintptr_t)md_df_start;
	df->ts_eflags = 2;
	df->ts_esp = df->ts_esp0 = (uintptr_t)mc->mc_df_stack + MD_DF_STACK;
	df->ts_cs = GDT_KCODE;
	df->ts_ss = df->ts_ss0 = df->ts_ds = df->ts_es = df->ts_fs = GDT_KDATA;
	df->ts_gs = GDT_KGS;
}

static void
tables_load(struct md_cpu *mc)
{
	struct pseudo_descriptor gdtr = { sizeof(mc->mc_gdt) - 1, (uintptr_t)mc->mc_gdt };
	struct pseudo_descriptor idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lgdt	%0\n\t"
			 "ljmp	%2, $1f\n"
			 "1:	movl	%3, %%eax\n\t"
			 "movl	%%eax, %%ds\n\t"
			 "movl	%%eax, %%es\n\t"
			 "movl	%%eax, %%ss\n\t"
			 "movl	%%eax, %%fs\n\t"
			 "movl	%4, %%eax\n\t"
			 "movl	%%eax, %%gs\n\t"
			 "lidt	%1\n\t"
			 "ltr	%w5"
			 :
			 : "m"(gdtr), "m"(idtr), "i"(GDT_KCODE), "i"(GDT_KDATA), "i"(GDT_KGS), "r"(GDT_TSS)
			 : "eax", "memory");
}

void
md_cpu_init(struct cpu *c)
{
	c->cpu_self = c;
	gdt_fill(c);
	tss_fill(&c->cpu_md);
	tables_load(&c->cpu_md);
}

void
md_set_kstack(struct cpu *c, uintptr_t top)
{
	c->cpu_md.mc_tss.ts_esp0 = top;
}

/* The double fault's task loads CR3 from its task state: with the value of now, nothing changes by that. */
void
md_cr3_changed(uintptr_t cr3)
{
	md_cpu()->cpu_md.mc_df_tss.ts_cr3 = cr3;
}

/* The task switch has put the registers of the moment of the fault into the other task state, and an error code on our stack. */
static void
df_frame(const struct md_tss *ts, struct trapframe *tf)
{
	tf->tf_gs = ts->ts_gs & 0xffff, tf->tf_fs = ts->ts_fs & 0xffff;
	tf->tf_es = ts->ts_es & 0xffff, tf->tf_ds = ts->ts_ds & 0xffff;
	tf->tf_edi = ts->ts_edi, tf->tf_esi = ts->ts_esi, tf->tf_ebp = ts->ts_ebp, tf->tf_pusha_esp = ts->ts_esp;
	tf->tf_ebx = ts->ts_ebx, tf->tf_edx = ts->ts_edx, tf->tf_ecx = ts->ts_ecx, tf->tf_eax = ts->ts_eax;
	tf->tf_trapno = VEC_DOUBLE;
	tf->tf_error = 0;
	tf->tf_eip = ts->ts_eip, tf->tf_cs = ts->ts_cs & 0xffff, tf->tf_eflags = ts->ts_eflags;
	tf->tf_esp = ts->ts_esp, tf->tf_ss = ts->ts_ss & 0xffff;
}

/*
 * Become an ordinary piece of code again, in the task that everything runs in, on the emergency stack: a check whose
 * student recursed without end is then left by a plain md_longjmp(), and the next double fault finds its task free.
 */
void
md_double_fault(void)
{
	struct md_cpu *mc = &md_cpu()->cpu_md;
	struct trapframe tf;
	ulong_t flags = read_eflags() & ~(ulong_t)EFLAGS_NT;

	df_frame(&mc->mc_tss, &tf);
	mc->mc_gdt[GDT_TSS / 8] &= ~TSS_BUSY;
	mc->mc_gdt[GDT_DF_TSS / 8] &= ~TSS_BUSY;
	__asm__ volatile("ltr %w0; pushl %1; popfl; clts" : : "r"(GDT_TSS), "r"(flags) : "memory", "cc");
	mc->mc_df_tss.ts_esp = (uintptr_t)mc->mc_df_stack + MD_DF_STACK;
	mc->mc_df_tss.ts_eip = (uintptr_t)md_df_start;
	trap(&tf);
	for (;;)
		hlt();
}

/*
 * The first return lands on entry() with a zero for its return address and for its frame pointer: that ends backtraces.
 */
struct md_context *
md_context_init(uintptr_t top, void (*entry)(void))
{
	struct md_context *mx;

	top = ROUNDDOWN(top, 16) - 4;
	*(uint32_t *)top = 0;
	mx = (struct md_context *)top - 1;
	memset(mx, 0, sizeof(*mx));
	mx->mx_eip = (uintptr_t)entry;
	return (mx);
}

void
md_user_frame(struct trapframe *tf, uintptr_t pc, uintptr_t sp)
{
	memset(tf, 0, sizeof(*tf));
	tf->tf_ds = tf->tf_es = tf->tf_fs = tf->tf_gs = GDT_UDATA | RPL_USER;
	tf->tf_eip = pc;
	tf->tf_cs = GDT_UCODE | RPL_USER;
	tf->tf_eflags = EFLAGS_IF | 2;
	tf->tf_esp = sp;
	tf->tf_ss = GDT_UDATA | RPL_USER;
}
