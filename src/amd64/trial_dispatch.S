/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A call of a unit that has several copies (64-bit): ask which, go there, as if nothing had been in between.
 *
 * The generated jump puts the function's number into %r11, which no argument uses. All six argument registers, and %rax,
 * survive; stack arguments are where they were when the copy starts. No red zone in this kernel.
 */
	.text
	.globl	trial_dispatch
	.type	trial_dispatch, @function
trial_dispatch:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rax
	pushq	%r9
	pushq	%r8
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi			/* an array of words: the arguments */
	movl	%r11d, %edi
	movq	%rsp, %rsi
	andq	$-16, %rsp
	call	trial_select
	movq	%rax, %r11
	leaq	-56(%rbp), %rsp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%r8
	popq	%r9
	popq	%rax
	popq	%rbp
	jmp	*%r11
	.size	trial_dispatch, . - trial_dispatch

	.section .note.GNU-stack, "", @progbits
