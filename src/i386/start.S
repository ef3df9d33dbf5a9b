/* SPDX-License-Identifier: ISC */
/*
 * From GRUB (32-bit protected mode, paging off, EAX = loader's magic number, EBX = its information) to kmain() with PAE
 * paging at the kernel's own addresses.
 *
 * The tables here are the seed of the boot page tables: low 2 MiB, text, data, and the window table, with the very
 * link bits that the HAT uses; directory pointers have no permission bits [SDM3 4.4.1]. The boot mapper (hat/kbm.c)
 * extends them; htable_attach() adopts them. Register use: EBP magic, EBX information.
 */
#include <memmap.h>

#define PHYS(x)		((x) - KERNEL_OFFSET)
#define DIRPTR		0x001			/* P only */
#define LINK		0x027			/* P, R/W, U/S, A: PT_PTPBITS */
#define LEAF		0x463			/* P, R/W, A, D, PT_NOCONSIST: the MMU has nothing to add */
#define LARGE		(LEAF | 0x080)		/* PS */

#define PDPT_INDEX(va)	((va) >> 30)
#define PD_INDEX(va)	(((va) >> 21) & 511)

#if KERNELBASE_PARAM >= 0xc0000000
#define boot_pd_kernel	boot_pd_window		/* the same gigabyte */
#endif

	.macro	entry table, index, value
	movl	$(\value), PHYS(\table) + (\index) * 8
	.endm

	.section .boot.text, "ax"
	.globl	start
start:
	cli
	cld
	movl	%eax, %ebp
	movl	$PHYS(boot_stack_top), %esp

	pushl	%ebx				/* cpuid takes EBX */
	movl	$1, %eax
	cpuid
	popl	%ebx
	testl	$(1 << 6), %edx			/* is there PAE? */
	jz	no_pae

	entry	boot_pdpt, 0, PHYS(boot_pd_low) + DIRPTR
	entry	boot_pd_low, 0, LARGE
	entry	boot_pdpt, PDPT_INDEX(KERNEL_OFFSET), PHYS(boot_pd_kernel) + DIRPTR
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + 0x200000), 0x200000 + LARGE
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + 0x400000), 0x400000 + LARGE
	entry	boot_pdpt, PDPT_INDEX(WINDOW_BASE), PHYS(boot_pd_window) + DIRPTR
	entry	boot_pd_window, PD_INDEX(WINDOW_BASE), PHYS(boot_pt_window) + LINK
	entry	boot_pt_window, WINDOW_TABLE, PHYS(boot_pt_window) + LEAF

	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	$PHYS(boot_pdpt), %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	andl	$~0x60000000, %eax		/* GRUB leaves CD and NW set: caches on */
	orl	$0x80010000, %eax		/* PG, WP */
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$0x08, $paged

no_pae:
	movl	$no_pae_text, %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, $0xe9
	jmp	1b
2:	hlt
	jmp	2b
no_pae_text:
	.asciz	"%panic cpu=0 text=this CPU has no physical address extension (PAE)\n%done result=panic\n"

	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff		/* code */
	.quad	0x00cf93000000ffff		/* data */
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

paged:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$high, %eax
	jmp	*%eax

	.text
high:
	movl	$boot_stack_top - 16, %esp
	pushl	%ebx
	pushl	%ebp
	xorl	%ebp, %ebp			/* end of the chain of frames */
	call	kmain
1:	hlt
	jmp	1b

	.bss
	.balign	4096
	.globl	boot_pdpt
boot_pdpt:	.skip	4096
boot_pd_low:	.skip	4096
#if KERNELBASE_PARAM < 0xc0000000
boot_pd_kernel:	.skip	4096
#endif
boot_pd_window:	.skip	4096
boot_pt_window:	.skip	4096
	.globl	boot_stack, boot_stack_top
boot_stack:	.skip	16384
boot_stack_top:
