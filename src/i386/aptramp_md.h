/* SPDX-License-Identifier: ISC */
/* clang-format off */
/*
 * Assembly, the last part of boot/aptramp.S: paging is on.
 */
	movl	PARAM(AP_STACK), %esp
	xorl	%ebp, %ebp		/* ends backtraces */
	pushl	PARAM(AP_CPU)
	pushl	$0			/* nowhere to return to */
	jmp	*PARAM(AP_ENTRY)
