/* SPDX-License-Identifier: ISC */
/* The stack pointer points at a word with the argument's address; a thread's, at its argument and its function. */
#include <sys/syscall.h>
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
	.globl	_thread
_thread:
	movl	4(%esp), %eax
	xorl	%ebp, %ebp
	call	*%eax			/* the argument is where it looks for it */
	movl	$SYS_ENDTHREAD, %eax
	int	$0x80
	.section .note.GNU-stack, "", @progbits
