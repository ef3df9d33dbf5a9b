/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief 32-bit shapes of what <sys/md.h> lists.
 */
#ifndef I386_MD_IMPL_H
#define I386_MD_IMPL_H

#include <sys/types.h>

#define GDT_KCODE   0x08
#define GDT_KDATA   0x10
#define GDT_UCODE   0x18
#define GDT_UDATA   0x20
#define GDT_KGS     0x28 /**< base: this CPU's struct cpu; the same selector on every CPU, each has its own table */
#define GDT_TSS     0x30
#define GDT_DF_TSS  0x38 /**< the double fault's task */
#define GDT_ENTRIES 8
#define RPL_USER    3

/* A register's width in one string instruction, for string.c */
#define MD_STOS "stosl"
#define MD_MOVS "movsl"

#define MD_DF_STACK 8192 /**< double fault: a register dump and a backtrace fit */

/** Registers at a trap; trap.S pushes them in this order, last field first. [SDM3 6.12] */
struct trapframe {
	uint32_t tf_gs, tf_fs, tf_es, tf_ds;
	uint32_t tf_edi, tf_esi, tf_ebp, tf_pusha_esp, tf_ebx, tf_edx, tf_ecx, tf_eax;
	uint32_t tf_trapno;                /**< vector, pushed by the stub */
	uint32_t tf_error;                 /**< pushed by the CPU for some vectors, 0 by the stub for the others */
	uint32_t tf_eip, tf_cs, tf_eflags; /**< pushed by the CPU */
	uint32_t tf_esp, tf_ss;            /**< pushed only when the trap came from ring 3: see tf_sp() */
};

/** Task state [SDM3 7.2.1]. Selectors take the low half of their words. */
struct md_tss {
	uint32_t ts_link;
	uint32_t ts_esp0, ts_ss0, ts_esp1, ts_ss1, ts_esp2, ts_ss2;
	uint32_t ts_cr3, ts_eip, ts_eflags;
	uint32_t ts_eax, ts_ecx, ts_edx, ts_ebx, ts_esp, ts_ebp, ts_esi, ts_edi;
	uint32_t ts_es, ts_cs, ts_ss, ts_ds, ts_fs, ts_gs;
	uint32_t ts_ldt;
	uint16_t ts_trap, ts_iomap;
};

/** Descriptor table, both tasks and the emergency stack of one CPU. */
struct md_cpu {
	uint64_t mc_gdt[GDT_ENTRIES];
	struct md_tss mc_tss;    /**< the one that all threads share */
	struct md_tss mc_df_tss; /**< entered by a double fault */
	uint8_t mc_df_stack[MD_DF_STACK] ALIGNED(16);
};

/** What md_switch() pushes, lowest address first. */
struct md_context {
	uint32_t mx_edi, mx_esi, mx_ebx, mx_ebp, mx_eip;
};

/** Registers that a called function must keep, and the interrupt flag. */
struct md_jmpbuf {
	uint32_t mj_ebx, mj_ebp, mj_esi, mj_edi, mj_esp, mj_eip, mj_eflags;
};

static inline struct cpu *
md_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movl %%gs:0, %0" : "=r"(c));
	return (c);
}

static inline struct kthread *
md_curthread(void)
{
	struct kthread *t;

	__asm__ volatile("movl %%gs:4, %0" : "=r"(t));
	return (t);
}

static inline uintptr_t
tf_pc(const struct trapframe *tf)
{
	return (tf->tf_eip);
}
static inline uintptr_t
tf_fp(const struct trapframe *tf)
{
	return (tf->tf_ebp);
}
static inline bool
tf_user(const struct trapframe *tf)
{
	return ((tf->tf_cs & RPL_USER) != 0);
}
static inline bool
tf_intr(const struct trapframe *tf)
{
	return ((tf->tf_eflags & 0x200) != 0);
}
static inline void
tf_set_step(struct trapframe *tf, bool on)
{
	tf->tf_eflags = on ? tf->tf_eflags | 0x100 : tf->tf_eflags & ~(ulong_t)0x100;
}
static inline void
tf_set_pc(struct trapframe *tf, uintptr_t pc)
{
	tf->tf_eip = (uint32_t)pc;
}

/**
 * From ring 0 the CPU pushes no stack pointer: the stack continues where the frame's last pushed word ends. Only the double
 * fault's frame (vector 8) is a copy and has it.
 */
static inline uintptr_t
tf_sp(const struct trapframe *tf)
{
	return (tf_user(tf) || tf->tf_trapno == 8 ? tf->tf_esp : (uintptr_t)&tf->tf_esp);
}

/** The trapframe that trap() was given, from trap()'s own frame pointer. */
static inline const struct trapframe *
md_frame_trap(uintptr_t fp)
{
	return (*(const struct trapframe *const *)(fp + 8));
}

void md_cr3_changed(uintptr_t cr3);

/** Where a thread that does not run will go on, and its frame pointer. */
static inline uintptr_t
md_context_pc(const struct md_context *mx)
{
	return (mx->mx_eip);
}
static inline uintptr_t
md_context_fp(const struct md_context *mx)
{
	return (mx->mx_ebp);
}

/** See amd64/md_impl.h. */
#ifdef DEBUG
#	define md_call_cold(f, arg) f(arg)
#	define md_ask_cold(f, arg)  f(arg)
#else
#	define md_call_cold(f, arg) __asm__ volatile("pushl %0; call %P1; addl $4, %%esp" : : "r"(arg), "i"(f) : "memory", "cc")
#	define md_ask_cold(f, arg) \
		({ \
			void *md_result; \
			__asm__ volatile("pushl %1; call %P2; addl $4, %%esp" \
					 : "=a"(md_result) \
					 : "r"(arg), "i"(f) \
					 : "memory", "cc"); \
			md_result; \
		})
#endif

#endif
