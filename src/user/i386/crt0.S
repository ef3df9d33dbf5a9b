/* SPDX-License-Identifier: ISC */
/* The stack pointer points at a word with the argument's address. */
	.text
	.globl	_start
_start:
	movl	(%esp), %eax
	xorl	%ebp, %ebp
	subl	$12, %esp
	pushl	%eax
	call	main
	pushl	%eax
	call	exit
	.section .note.GNU-stack, "", @progbits
