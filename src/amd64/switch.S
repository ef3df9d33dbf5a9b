/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Switching stacks, jumping back, and the copy that survives a fault (64-bit). Contracts in <sys/md.h>.
 */
	.text

/*
 * void md_switch(struct md_context **save, struct md_context *next)
 * Only what a called function must keep is saved: the caller has saved the rest itself. The order is struct md_context.
 */
	.globl	md_switch
	.type	md_switch, @function
md_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	md_switch, . - md_switch

/* int md_setjmp(struct md_jmpbuf *jb) */
	.globl	md_setjmp
	.type	md_setjmp, @function
md_setjmp:
	movq	%rbx, 0(%rdi)
	movq	%rbp, 8(%rdi)
	movq	%r12, 16(%rdi)
	movq	%r13, 24(%rdi)
	movq	%r14, 32(%rdi)
	movq	%r15, 40(%rdi)
	leaq	8(%rsp), %rax		/* the stack as it is after we have returned */
	movq	%rax, 48(%rdi)
	movq	(%rsp), %rax
	movq	%rax, 56(%rdi)
	pushfq
	popq	64(%rdi)
	xorl	%eax, %eax
	ret
	.size	md_setjmp, . - md_setjmp

/* void md_longjmp(struct md_jmpbuf *jb, int value) */
	.globl	md_longjmp
	.type	md_longjmp, @function
md_longjmp:
	movl	%esi, %eax
	movq	0(%rdi), %rbx
	movq	8(%rdi), %rbp
	movq	16(%rdi), %r12
	movq	24(%rdi), %r13
	movq	32(%rdi), %r14
	movq	40(%rdi), %r15
	movq	48(%rdi), %rsp
	movq	56(%rdi), %rdx
	pushq	64(%rdi)		/* interrupts come back only now, on the right stack */
	popfq
	jmp	*%rdx
	.size	md_longjmp, . - md_longjmp

/*
 * bool md_copy_fault(void *dst, const void *src, size_t n)
 * trap() moves the pc of a fault between start and end to fixup; the registers then hold how far the copy came.
 */
	.globl	md_copy_fault, md_copy_fault_start, md_copy_fault_end, md_copy_fault_fixup
	.type	md_copy_fault, @function
md_copy_fault:
	pushq	%rbp			/* a frame, so that a backtrace from here is whole */
	movq	%rsp, %rbp
	movq	%rdx, %rcx
	shrq	$3, %rcx			/* eight bytes at a time, then the rest */
	cld
md_copy_fault_start:
	rep movsq
	movq	%rdx, %rcx
	andq	$7, %rcx
	rep movsb
md_copy_fault_end:
	movl	$1, %eax
	popq	%rbp
	ret
md_copy_fault_fixup:
	xorl	%eax, %eax
	popq	%rbp
	ret
	.size	md_copy_fault, . - md_copy_fault

	.section .note.GNU-stack, "", @progbits
