/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where a CPU that is not the boot CPU begins: real mode, at the start of the page AP_PAGE.
 *
 * The code is linked with the kernel and copied to AP_PAGE by mp_start(), so every address in it is written as REL(label),
 * its place in the copy. Real mode to protected mode with paging off; then the flavour's part ("aptramp_md.h"): the
 * boot CPU's control registers, which turn paging on, and the jump to ap_entry(cpu) on the new CPU's stack. The
 * page is mapped at its physical address meanwhile.
 */
#include <x86/mp.h>

#define REL(label)	(label - aptramp_start + AP_PAGE)
#define PARAM(offset)	(ap_params - aptramp_start + AP_PAGE + (offset))
#define TRAMP_CODE32	0x08
#define TRAMP_DATA	0x10
#define TRAMP_CODE64	0x18

	.section .rodata.aptramp, "a"
	.balign	16
	.globl	aptramp_start, aptramp_end, ap_params
	.code16
aptramp_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	REL(gdtr)
	movl	%cr0, %eax
	andl	$~0x60000000, %eax	/* caches on: CD and NW are set after INIT [SDM3 9.1.1] */
	orl	$1, %eax		/* PE */
	movl	%eax, %cr0
	ljmpl	$TRAMP_CODE32, $REL(protected)

	.code32
protected:
	movl	$TRAMP_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	PARAM(AP_CR4), %eax	/* PAE must be on before paging is */
	movl	%eax, %cr4
	movl	PARAM(AP_CR3), %eax
	movl	%eax, %cr3
	movl	PARAM(AP_EFER), %eax
	testl	%eax, %eax
	jz	1f
	movl	$0xc0000080, %ecx
	xorl	%edx, %edx
	wrmsr
1:	movl	PARAM(AP_CR0), %eax
	movl	%eax, %cr0

#include "aptramp_md.h"

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00af9b000000ffff	/* 64-bit code */
gdtr:	.word	. - gdt - 1
	.long	REL(gdt)
	.balign	8
ap_params:
	.skip	AP_PARAMS_SIZE
aptramp_end:

	.section .note.GNU-stack, "", @progbits
