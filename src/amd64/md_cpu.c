/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Descriptor tables, task state and thread contexts (64-bit).
 *
 * Segments mean little here: code segments carry the privilege level and the "64-bit" bit, data segments next to nothing.
 * The task state segment is only a list of stack pointers: one for traps from ring 3, and emergency stacks (IST) for
 * the double fault, which may well come from an overflown stack, and for NMI, which may come at any instruction.
 */
#include <sys/cpu.h>
#include <sys/md.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <x86/vectors.h>

#define GATE_INTERRUPT 0x8eull /* present, ring 0, interrupt gate: interrupts off on entry */
#define GATE_RING3     0x60ull /* may be called by `int n` in ring 3 */
#define IST_DF         1ull
#define IST_NMI        2ull

/** What lgdt and lidt read. */
struct pseudo_descriptor {
	uint16_t pd_limit;
	uint64_t pd_base;
} PACKED;

extern const char trap_stubs[];
static uint64_t idt[256][2];

static void
gate_set(int vector, uint64_t attributes, uint64_t ist)
{
	uint64_t pc = (uintptr_t)trap_stubs + 16 * vector;

	idt[vector][0] = (pc & 0xffff) | (uint64_t)GDT_KCODE << 16 | ist << 32 | attributes << 40 | (pc >> 16 & 0xffff) << 48;
	idt[vector][1] = pc >> 32;
}

void
md_idt_init(void)
{
	for (int i = 0; i < 256; i++)
		gate_set(i, GATE_INTERRUPT, 0);
	gate_set(VEC_NMI, GATE_INTERRUPT, IST_NMI);
	gate_set(VEC_DOUBLE, GATE_INTERRUPT, IST_DF);
	gate_set(VEC_BREAKPOINT, GATE_INTERRUPT | GATE_RING3, 0);
	gate_set(VEC_SYSCALL, GATE_INTERRUPT | GATE_RING3, 0);
}

/* A system descriptor takes two entries because its base is 64 bits wide [SDM3 7.2.3]. */
static void
gdt_fill(struct md_cpu *mc)
{
	uint64_t base = (uintptr_t)&mc->mc_tss, limit = sizeof(mc->mc_tss) - 1;

	mc->mc_gdt[0] = 0;
	mc->mc_gdt[GDT_KCODE / 8] = 0x00af9b000000ffffull;
	mc->mc_gdt[GDT_KDATA / 8] = 0x00cf93000000ffffull;
	mc->mc_gdt[GDT_UCODE32 / 8] = 0x00cffb000000ffffull;
	mc->mc_gdt[GDT_UDATA / 8] = 0x00cff3000000ffffull;
	mc->mc_gdt[GDT_UCODE / 8] = 0x00affb000000ffffull;
	mc->mc_gdt[GDT_TSS / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	mc->mc_gdt[GDT_TSS / 8 + 1] = base >> 32;
}

static void
tables_load(struct md_cpu *mc)
{
	struct pseudo_descriptor gdtr = { sizeof(mc->mc_gdt) - 1, (uintptr_t)mc->mc_gdt };
	struct pseudo_descriptor idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lgdt	%0\n\t"
			 "pushq	%2\n\t" /* a far return is the way to load cs */
			 "leaq	1f(%%rip), %%rax\n\t"
			 "pushq	%%rax\n\t"
			 "lretq\n"
			 "1:	movl	%3, %%eax\n\t"
			 "movl	%%eax, %%ds\n\t"
			 "movl	%%eax, %%es\n\t"
			 "movl	%%eax, %%ss\n\t"
			 "xorl	%%eax, %%eax\n\t"
			 "movl	%%eax, %%fs\n\t"
			 "movl	%%eax, %%gs\n\t"
			 "lidt	%1\n\t"
			 "ltr	%w4"
			 :
			 : "m"(gdtr), "m"(idtr), "i"(GDT_KCODE), "i"(GDT_KDATA), "r"(GDT_TSS)
			 : "rax", "memory");
}

void
md_cpu_init(struct cpu *c)
{
	struct md_cpu *mc = &c->cpu_md;

	memset(&mc->mc_tss, 0, sizeof(mc->mc_tss));
	mc->mc_tss.ts_ist[IST_DF - 1] = (uintptr_t)mc->mc_df_stack + MD_DF_STACK;
	mc->mc_tss.ts_ist[IST_NMI - 1] = (uintptr_t)mc->mc_nmi_stack + MD_NMI_STACK;
	mc->mc_tss.ts_iomap = sizeof(mc->mc_tss); /* beyond the limit: no port is open to ring 3 */
	gdt_fill(mc);
	tables_load(mc);
	c->cpu_self = c;
	wrmsr(MSR_GS_BASE, (uintptr_t)c); /* after gs was loaded: that clears the base */
	wrmsr(MSR_KGS_BASE, 0);
}

void
md_set_kstack(struct cpu *c, uintptr_t top)
{
	c->cpu_md.mc_tss.ts_rsp[0] = top;
}

/*
 * The first return lands on entry() with a zero for its return address and for its frame pointer: that ends backtraces. It is
 * placed so that the stack is where a call would have left it, 8 below a multiple of 16.
 */
struct md_context *
md_context_init(uintptr_t top, void (*entry)(void))
{
	struct md_context *mx;

	top = ROUNDDOWN(top, 16) - 8;
	*(uint64_t *)top = 0;
	mx = (struct md_context *)top - 1;
	memset(mx, 0, sizeof(*mx));
	mx->mx_rip = (uintptr_t)entry;
	return (mx);
}

void
md_user_frame(struct trapframe *tf, uintptr_t pc, uintptr_t sp)
{
	memset(tf, 0, sizeof(*tf));
	tf->tf_rip = pc;
	tf->tf_cs = GDT_UCODE | RPL_USER;
	tf->tf_rflags = EFLAGS_IF | 2;
	tf->tf_rsp = sp;
	tf->tf_ss = GDT_UDATA | RPL_USER;
}
