/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief 64-bit shapes of what <sys/md.h> lists.
 */
#ifndef AMD64_MD_IMPL_H
#define AMD64_MD_IMPL_H

#include <sys/types.h>

#define GDT_KCODE   0x08 /**< kernel code, 64-bit */
#define GDT_KDATA   0x10
#define GDT_UCODE32 0x18 /**< before UDATA and UCODE: the order that sysret would want [SDM3 5.8.8] */
#define GDT_UDATA   0x20
#define GDT_UCODE   0x28
#define GDT_TSS     0x30 /**< two entries long */
#define GDT_ENTRIES 8
#define RPL_USER    3

/* A register's width in one string instruction, for string.c */
#define MD_STOS "stosq"
#define MD_MOVS "movsq"

#define MD_DF_STACK  8192 /**< double fault: a register dump and a backtrace fit */
#define MD_NMI_STACK 4096

/** Registers at a trap; trap.S pushes them in this order, last field first. [SDM3 6.14] */
struct trapframe {
	uint64_t tf_r15, tf_r14, tf_r13, tf_r12, tf_r11, tf_r10, tf_r9, tf_r8;
	uint64_t tf_rdi, tf_rsi, tf_rbp, tf_rdx, tf_rcx, tf_rbx, tf_rax;
	uint64_t tf_trapno;                               /**< vector, pushed by the stub */
	uint64_t tf_error;                                /**< pushed by the CPU for some vectors, 0 by the stub for the others */
	uint64_t tf_rip, tf_cs, tf_rflags, tf_rsp, tf_ss; /**< pushed by the CPU */
};

/** Task state: only stack pointers are left of it [SDM3 7.7]. */
struct md_tss {
	uint32_t ts_unused0;
	uint64_t ts_rsp[3]; /**< stack for traps into ring 0, 1, 2 */
	uint64_t ts_unused1;
	uint64_t ts_ist[7]; /**< emergency stacks; index 0 is IST 1 */
	uint64_t ts_unused2;
	uint16_t ts_unused3, ts_iomap;
} PACKED;

/** Descriptor tables and emergency stacks of one CPU. */
struct md_cpu {
	uint64_t mc_gdt[GDT_ENTRIES];
	struct md_tss mc_tss;
	uint8_t mc_df_stack[MD_DF_STACK] ALIGNED(16);
	uint8_t mc_nmi_stack[MD_NMI_STACK] ALIGNED(16);
};

/** What md_switch() pushes, lowest address first. */
struct md_context {
	uint64_t mx_r15, mx_r14, mx_r13, mx_r12, mx_rbx, mx_rbp, mx_rip;
};

/** Registers that a called function must keep, and the interrupt flag. */
struct md_jmpbuf {
	uint64_t mj_rbx, mj_rbp, mj_r12, mj_r13, mj_r14, mj_r15, mj_rsp, mj_rip, mj_rflags;
};

static inline struct cpu *
md_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return (c);
}

static inline struct kthread *
md_curthread(void)
{
	struct kthread *t;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(t));
	return (t);
}

static inline uintptr_t
tf_pc(const struct trapframe *tf)
{
	return (tf->tf_rip);
}
static inline uintptr_t
tf_sp(const struct trapframe *tf)
{
	return (tf->tf_rsp);
}
static inline uintptr_t
tf_fp(const struct trapframe *tf)
{
	return (tf->tf_rbp);
}
static inline bool
tf_user(const struct trapframe *tf)
{
	return ((tf->tf_cs & RPL_USER) != 0);
}
static inline bool
tf_intr(const struct trapframe *tf)
{
	return ((tf->tf_rflags & 0x200) != 0);
}
static inline void
tf_set_step(struct trapframe *tf, bool on)
{
	tf->tf_rflags = on ? tf->tf_rflags | 0x100 : tf->tf_rflags & ~(ulong_t)0x100;
}
static inline void
tf_set_pc(struct trapframe *tf, uintptr_t pc)
{
	tf->tf_rip = pc;
}

/** The trapframe that trap() was given, from trap()'s own frame pointer: it lies above the return address. */
static inline const struct trapframe *
md_frame_trap(uintptr_t fp)
{
	return ((const struct trapframe *)(fp + 16));
}

/** The double fault handler keeps the CR3 it finds: nothing to do. */
static inline void
md_cr3_changed(uintptr_t cr3)
{
	(void)cr3;
}

/** Where a thread that does not run will go on, and its frame pointer. */
static inline uintptr_t
md_context_pc(const struct md_context *mx)
{
	return (mx->mx_rip);
}
static inline uintptr_t
md_context_fp(const struct md_context *mx)
{
	return (mx->mx_rbp);
}

/**
 * Call a COLD function of one word, that returns nothing or a pointer, so that the compiler does not see a call: around one it would keep what it needs in
 * registers that it must save first, on every way through the caller. Without assertions a COLD function saves all of them itself.
 */
#ifdef DEBUG
#	define md_call_cold(f, arg) f(arg)
#	define md_ask_cold(f, arg)  f(arg)
#else
#	define md_call_cold(f, arg) __asm__ volatile("call %P1" : : "D"(arg), "i"(f) : "memory", "cc")
#	define md_ask_cold(f, arg) \
		({ \
			void *md_result; \
			__asm__ volatile("call %P2" : "=a"(md_result) : "D"(arg), "i"(f) : "memory", "cc"); \
			md_result; \
		})
#endif

#endif
