/* SPDX-License-Identifier: ISC */
/*
 * void stack_switch(void **save, void *sp): go on where another stack was left. What a call may destroy need not be kept.
 */
	.text
	.globl	stack_switch
	.type	stack_switch, @function
stack_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	stack_switch, . - stack_switch
	.section .note.GNU-stack, "", @progbits
