/* SPDX-License-Identifier: ISC */
/*
 * void stack_switch(void **save, void *sp): go on where another stack was left. What a call may destroy need not be kept.
 */
	.text
	.globl	stack_switch
	.type	stack_switch, @function
stack_switch:
	mov	4(%esp), %eax
	mov	8(%esp), %edx
	push	%ebx
	push	%esi
	push	%edi
	push	%ebp
	mov	%esp, (%eax)
	mov	%edx, %esp
	pop	%ebp
	pop	%edi
	pop	%esi
	pop	%ebx
	ret
	.size	stack_switch, . - stack_switch
	.section .note.GNU-stack, "", @progbits
