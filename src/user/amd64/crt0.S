/* SPDX-License-Identifier: ISC */
/* The stack pointer points at a word with the argument's address; a thread's, at its argument and its function. */
#include <sys/syscall.h>
	.text
	.globl	_start
_start:
	movq	(%rsp), %rdi
	xorl	%ebp, %ebp
	call	main
	movl	%eax, %edi
	call	exit
	.globl	_thread
_thread:
	movq	(%rsp), %rdi
	xorl	%ebp, %ebp
	call	*8(%rsp)
	movl	$SYS_ENDTHREAD, %eax
	int	$0x80
	.section .note.GNU-stack, "", @progbits
