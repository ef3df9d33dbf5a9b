/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The way into and out of the kernel (32-bit): 256 stubs, one frame, trap(), and back.
 *
 * Segment registers are saved and set on every entry, wherever it comes from: that needs no question about the past, and an
 * NMI between two of these instructions does the same for itself.
 */
#define HAS_ERROR(n)	((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21 || (n) == 29 || (n) == 30)
#define KDATA	0x10
#define KGS	0x28

	.text

/* trap_stubs + 16 * n is where vector n starts */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	n, 0
	.rept	256
	.balign	16
	.if	!HAS_ERROR(n)
	pushl	$0
	.endif
	pushl	$n
	jmp	trap_entry
	.set	n, n + 1
	.endr

	.type	trap_entry, @function
trap_entry:
	pushal
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	movl	$KDATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	$KGS, %eax
	movl	%eax, %gs
	cld
	pushl	%esp
	call	trap
	.globl	trap_return, trap_return_ask
trap_return_ask:			/* amd64 has a second way in and out */
trap_return:				/* a backtrace finds the trapframe behind this return address */
	addl	$4, %esp
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	popal
	addl	$8, %esp		/* trapno and error */
	iretl
	.size	trap_entry, . - trap_entry

/* void md_user_return(struct trapframe *tf) */
	.globl	md_user_return
	.type	md_user_return, @function
md_user_return:
	cli
	movl	4(%esp), %esp
	pushl	$0			/* trap()'s argument */
	jmp	trap_return
	.size	md_user_return, . - md_user_return

/* The double fault's task starts here, on its own stack, with an error code pushed by the task switch [SDM3 6.13, 7.3]. */
	.globl	md_df_start
	.type	md_df_start, @function
md_df_start:
	xorl	%ebp, %ebp
	call	md_double_fault
	.size	md_df_start, . - md_df_start

	.section .note.GNU-stack, "", @progbits
