/* SPDX-License-Identifier: ISC */
/* The stack pointer points at a word with the argument's address. */
	.text
	.globl	_start
_start:
	movq	(%rsp), %rdi
	xorl	%ebp, %ebp
	call	main
	movl	%eax, %edi
	call	exit
	.section .note.GNU-stack, "", @progbits
