/* SPDX-License-Identifier: ISC */
/* clang-format off */
/*
 * Assembly, the last part of boot/aptramp.S: paging is on and EFER.LME is set, so a jump through a 64-bit code segment is all
 * that is missing.
 */
	ljmpl	$TRAMP_CODE64, $REL(long_mode)

	.code64
long_mode:
	movq	PARAM(AP_STACK), %rsp
	movq	PARAM(AP_CPU), %rdi
	xorl	%ebp, %ebp		/* ends backtraces */
	pushq	$0			/* nowhere to return to */
	jmp	*PARAM(AP_ENTRY)
