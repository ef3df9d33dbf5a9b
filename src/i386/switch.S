/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Switching stacks, jumping back, and the copy that survives a fault (32-bit). Contracts in <sys/md.h>.
 */
	.text

/*
 * void md_switch(struct md_context **save, struct md_context *next)
 * Only what a called function must keep is saved: the caller has saved the rest itself. The order is struct md_context.
 */
	.globl	md_switch
	.type	md_switch, @function
md_switch:
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	pushl	%ebp
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	movl	%esp, (%eax)
	movl	%edx, %esp
	popl	%edi
	popl	%esi
	popl	%ebx
	popl	%ebp
	ret
	.size	md_switch, . - md_switch

/* int md_setjmp(struct md_jmpbuf *jb) */
	.globl	md_setjmp
	.type	md_setjmp, @function
md_setjmp:
	movl	4(%esp), %ecx
	movl	%ebx, 0(%ecx)
	movl	%ebp, 4(%ecx)
	movl	%esi, 8(%ecx)
	movl	%edi, 12(%ecx)
	leal	4(%esp), %eax		/* the stack as it is after we have returned */
	movl	%eax, 16(%ecx)
	movl	(%esp), %eax
	movl	%eax, 20(%ecx)
	pushfl
	popl	24(%ecx)
	xorl	%eax, %eax
	ret
	.size	md_setjmp, . - md_setjmp

/* void md_longjmp(struct md_jmpbuf *jb, int value) */
	.globl	md_longjmp
	.type	md_longjmp, @function
md_longjmp:
	movl	4(%esp), %ecx
	movl	8(%esp), %eax
	movl	0(%ecx), %ebx
	movl	4(%ecx), %ebp
	movl	8(%ecx), %esi
	movl	12(%ecx), %edi
	movl	16(%ecx), %esp
	movl	20(%ecx), %edx
	pushl	24(%ecx)		/* interrupts come back only now, on the right stack */
	popfl
	jmp	*%edx
	.size	md_longjmp, . - md_longjmp

/*
 * bool md_copy_fault(void *dst, const void *src, size_t n)
 * trap() moves the pc of a fault between start and end to fixup; the registers then hold how far the copy came.
 */
	.globl	md_copy_fault, md_copy_fault_start, md_copy_fault_end, md_copy_fault_fixup
	.type	md_copy_fault, @function
md_copy_fault:
	pushl	%ebp			/* a frame, so that a backtrace from here is whole */
	movl	%esp, %ebp
	pushl	%esi
	pushl	%edi
	movl	8(%ebp), %edi
	movl	12(%ebp), %esi
	movl	16(%ebp), %ecx
	shrl	$2, %ecx		/* four bytes at a time, then the rest */
	cld
md_copy_fault_start:
	rep movsl
	movl	16(%ebp), %ecx
	andl	$3, %ecx
	rep movsb
md_copy_fault_end:
	movl	$1, %eax
1:	popl	%edi
	popl	%esi
	popl	%ebp
	ret
md_copy_fault_fixup:
	xorl	%eax, %eax
	jmp	1b
	.size	md_copy_fault, . - md_copy_fault

	.section .note.GNU-stack, "", @progbits
