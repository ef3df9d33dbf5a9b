/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The way into and out of the kernel (64-bit): 256 stubs, one frame, trap(), and back.
 *
 * %gs is the only thing that differs by where we come from: in the kernel GS_BASE is this CPU's cpu_t, in ring 3 it is the
 * program's and ours waits in KGS_BASE. The saved code segment tells which, except in two cases, where GS_BASE itself is
 * asked (our addresses are negative, a program's are not): NMI and double fault may arrive between a trap's entry and its
 * swapgs, and the faults that iretq itself can raise arrive after the last swapgs with a kernel code segment.
 */
#define SELF_ASK(n)	((n) == 2 || (n) == 8 || (n) == 11 || (n) == 12 || (n) == 13 || (n) == 18)
#define HAS_ERROR(n)	((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21 || (n) == 29 || (n) == 30)
#define MSR_GS_BASE	0xc0000101

	.text

/* trap_stubs + 16 * n is where vector n starts */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	n, 0
	.rept	256
	.balign	16
	.if	!HAS_ERROR(n)
	pushq	$0
	.endif
	pushq	$n
	.if	SELF_ASK(n)
	jmp	trap_entry_ask
	.else
	jmp	trap_entry
	.endif
	.set	n, n + 1
	.endr

.macro	PUSH_ALL
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro	POP_ALL
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
.endm

	.type	trap_entry, @function
trap_entry:
	testb	$3, 24(%rsp)		/* saved cs */
	jz	1f
	swapgs
1:	PUSH_ALL
	cld
	movq	%rsp, %rdi		/* 22 words: the stack is 16-aligned, as the call wants it */
	call	trap
	.globl	trap_return
trap_return:				/* a backtrace finds the trapframe behind this return address */
	testb	$3, 144(%rsp)		/* saved cs, behind 15 registers, trapno and error */
	jz	2f
	movl	$0x23, %eax		/* GDT_UDATA for ring 3: 32-bit programs use them, and another one may have spoilt them */
	movl	%eax, %ds
	movl	%eax, %es
2:	POP_ALL
	testb	$3, 24(%rsp)
	jz	1f
	cli				/* no interrupt between here and iretq: it would see our cs and the program's gs */
	swapgs
1:	addq	$16, %rsp		/* trapno and error */
	iretq
	.size	trap_entry, . - trap_entry

	.type	trap_entry_ask, @function
trap_entry_ask:
	PUSH_ALL
	cld
	movl	$MSR_GS_BASE, %ecx
	rdmsr
	xorl	%ebx, %ebx
	testl	%edx, %edx
	js	1f
	swapgs
	incl	%ebx			/* rbx survives the call: swap back */
1:	movq	%rsp, %rdi
	call	trap
	.globl	trap_return_ask
trap_return_ask:
	cli
	testl	%ebx, %ebx
	jz	1f
	swapgs
1:	POP_ALL
	addq	$16, %rsp
	iretq
	.size	trap_entry_ask, . - trap_entry_ask

/* void md_user_return(struct trapframe *tf) */
	.globl	md_user_return
	.type	md_user_return, @function
md_user_return:
	cli
	movq	%rdi, %rsp
	jmp	trap_return
	.size	md_user_return, . - md_user_return

	.section .note.GNU-stack, "", @progbits
