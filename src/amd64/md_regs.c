/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A trapframe in print (64-bit).
 */
#include <sys/md.h>
#include <sys/printf.h>

void
md_dump_regs(const struct trapframe *tf)
{
	printf("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", tf->tf_rax, tf->tf_rbx, tf->tf_rcx, tf->tf_rdx);
	printf("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", tf->tf_rsi, tf->tf_rdi, tf->tf_rbp, tf->tf_rsp);
	printf("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", tf->tf_r8, tf->tf_r9, tf->tf_r10, tf->tf_r11);
	printf("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", tf->tf_r12, tf->tf_r13, tf->tf_r14, tf->tf_r15);
	printf("  rip %016lx cs %04lx rflags %08lx ss %04lx\n", tf->tf_rip, tf->tf_cs, tf->tf_rflags, tf->tf_ss);
}
