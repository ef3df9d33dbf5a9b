/* SPDX-License-Identifier: ISC */
/*
 * From GRUB (32-bit protected mode, paging off, EAX = loader's magic number, EBX = its information) to kmain() in long
 * mode at the kernel's own addresses.
 *
 * The seven tables here are the seed of the boot page tables: low 2 MiB, text, data, and the window table, with the very
 * link bits that the HAT uses [SDM3 4.5]. The boot mapper (hat/kbm.c) extends them; htable_attach() adopts them.
 * Register use: EBP magic, EBX information.
 */
#include <memmap.h>

#define PHYS(x)		((x) - KERNEL_OFFSET)
#define LINK		0x027			/* P, R/W, U/S, A: PT_PTPBITS */
#define LEAF		0x463			/* P, R/W, A, D, PT_NOCONSIST: the MMU has nothing to add */
#define LARGE		(LEAF | 0x080)		/* PS */

#define PML4_INDEX(va)	(((va) >> 39) & 511)
#define PDPT_INDEX(va)	(((va) >> 30) & 511)
#define PD_INDEX(va)	(((va) >> 21) & 511)

	.macro	entry table, index, value
	movl	$(\value), PHYS(\table) + (\index) * 8
	.endm

	.section .boot.text, "ax"
	.code32
	.globl	start
start:
	cli
	cld
	movl	%eax, %ebp
	movl	$PHYS(boot_stack_top), %esp
	call	boot_check_cpu

	movl	%ebx, %edi			/* cpuid takes EBX */
	movl	$0x80000000, %eax		/* is there long mode? */
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	testl	$(1 << 29), %edx
	jz	no_long_mode
	movl	%edi, %ebx

	entry	boot_pml4, 0, PHYS(boot_pdpt_low) + LINK
	entry	boot_pdpt_low, 0, PHYS(boot_pd_low) + LINK
	entry	boot_pd_low, 0, LARGE
	entry	boot_pml4, PML4_INDEX(KERNEL_OFFSET), PHYS(boot_pdpt_high) + LINK
	entry	boot_pdpt_high, PDPT_INDEX(KERNEL_OFFSET), PHYS(boot_pd_kernel) + LINK
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + 0x200000), 0x200000 + LARGE
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + 0x400000), 0x400000 + LARGE
	entry	boot_pdpt_high, PDPT_INDEX(WINDOW_BASE), PHYS(boot_pd_window) + LINK
	entry	boot_pd_window, PD_INDEX(WINDOW_BASE), PHYS(boot_pt_window) + LINK
	entry	boot_pt_window, WINDOW_TABLE, PHYS(boot_pt_window) + LEAF

	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	$PHYS(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$~0x60000000, %eax		/* GRUB leaves CD and NW set: caches on */
	orl	$0x80010000, %eax		/* PG, WP */
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$0x08, $long_mode

no_long_mode:
	movl	$no_long_mode_text, %esi
	jmp	boot_refuse
no_long_mode_text:
	.asciz	"this CPU has no 64-bit mode: boot the i386 image"

	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff		/* 64-bit code */
	.quad	0x00cf93000000ffff		/* data */
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

	.code64
long_mode:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movabsq	$high, %rax
	jmp	*%rax

	.text
high:
	movq	$boot_stack_top, %rsp
	movl	%ebp, %edi
	movl	%ebx, %esi
	xorl	%ebp, %ebp			/* end of the chain of frames */
	call	kmain
1:	hlt
	jmp	1b

	.bss
	.balign	4096
	.globl	boot_pml4
boot_pml4:	.skip	4096
boot_pdpt_low:	.skip	4096
boot_pd_low:	.skip	4096
boot_pdpt_high:	.skip	4096
boot_pd_kernel:	.skip	4096
boot_pd_window:	.skip	4096
boot_pt_window:	.skip	4096
	.globl	boot_stack, boot_stack_top
boot_stack:	.skip	16384
boot_stack_top:
