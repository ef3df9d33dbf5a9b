/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Everything that i386/ and amd64/ must provide: two folders with the same file names, and nothing else differs.
 *
 * "md_impl.h" is the one in the chosen folder. It defines, under the same names in both,
 *
 *     struct trapframe    all registers at a trap, as trap.S leaves them on the stack; read through tf_*()
 *     struct md_cpu       this CPU's descriptor table, task state, emergency stacks
 *     struct md_context   what md_switch() keeps on the stack of a thread that does not run
 *     struct md_jmpbuf    what md_setjmp() keeps
 *
 * and the inline functions
 *
 *     md_cpu()            this CPU's struct cpu, one load through %gs; stale as soon as the thread may migrate
 *     md_curthread()      the running thread, one load through %gs
 *     tf_pc() tf_sp() tf_fp() tf_user() tf_set_pc() tf_intr() tf_set_step()   a trapframe's parts that both widths have
 *     md_context_pc() md_context_fp()  where a thread that does not run stands
 *     md_call_cold(f, p)  f(p), where f is COLD and hardly ever called
 *     md_ask_cold(f, p)   the same for one that returns a pointer
 *     md_cr3_changed(v)   tell the double fault handler which tables are in CR3 (i386: its task carries a CR3)
 */
#ifndef SYS_MD_H
#define SYS_MD_H

#include <sys/types.h>

struct cpu;
struct kthread;

#include "md_impl.h"

/**
 * Load this CPU's own descriptor tables, task register, %gs and the common interrupt table. From here on CPU and
 * curthread work and traps are survived. First thing on every CPU.
 *
 * @param c  filled in: cpu_self, cpu_thread, cpu_id. Interrupts are off. Cannot fail.
 */
void md_cpu_init(struct cpu *c);

/** Stack on which traps and interrupts from ring 3 start: the top of the running thread's. Called at every switch. */
void md_set_kstack(struct cpu *c, uintptr_t top);

/**
 * Make `context` so that the first md_switch() to it calls entry() on that stack, interrupts off.
 *
 * @param top    highest address of the stack (exclusive)
 * @param entry  must not return
 * @return       what to hand to md_switch()
 */
struct md_context *md_context_init(uintptr_t top, void (*entry)(void));

/** Save what C wants kept, the stack pointer in *save, and go on as `next`. Interrupts off, scheduler's lock held. */
void md_switch(struct md_context **save, struct md_context *next);

/**
 * As in C; also keeps the interrupt flag. The jump must come from deeper in the same stack, or from the emergency stack of
 * a fault on it.
 *
 * @return  0 when called, the value given to md_longjmp() (never 0) when jumped to
 */
int md_setjmp(struct md_jmpbuf *jb) __attribute__((returns_twice));
void md_longjmp(struct md_jmpbuf *jb, int value) NORETURN;

/** Load all registers from a frame whose code segment is ring 3 and go there. The kernel stack is forgotten. */
void md_user_return(struct trapframe *tf) NORETURN;
/** A frame for a program's first instruction: user segments, interrupts on, registers zero. */
void md_user_frame(struct trapframe *tf, uintptr_t pc, uintptr_t sp);

/** Print all registers of a frame to the consoles. */
void md_dump_regs(const struct trapframe *tf);

/** Vector n of the interrupt table is stub number n of trap.S; amd64 gives some of them a stack of their own. */
void md_idt_init(void);

/** Copy n bytes and say whether that worked: a fault in between makes it return false. The body of peek() and poke(). */
bool md_copy_fault(void *dst, const void *src, size_t n);
/** The instructions of md_copy_fault() that may fault, and where a fault in them continues. */
extern const char md_copy_fault_start[], md_copy_fault_end[], md_copy_fault_fixup[];

#endif
