/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A call of a unit that has several copies (32-bit): ask which, go there, as if nothing had been in between.
 *
 * The generated jump pushes the function's number: above it stand the caller's return address and the arguments. The
 * number's place takes the copy's address, and the return to it leaves the stack as the caller made it.
 */
	.text
	.globl	trial_dispatch
	.type	trial_dispatch, @function
trial_dispatch:
	leal	8(%esp), %eax		/* an array of words: the arguments */
	movl	(%esp), %edx
	pushl	%ebp			/* a frame, so that a backtrace from trial_select() finds its way */
	movl	%esp, %ebp
	andl	$-16, %esp
	subl	$8, %esp
	pushl	%eax
	pushl	%edx
	call	trial_select
	leave
	movl	%eax, (%esp)
	ret
	.size	trial_dispatch, . - trial_dispatch

	.section .note.GNU-stack, "", @progbits
