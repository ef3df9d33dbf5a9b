/* SPDX-License-Identifier: ISC */
/*
 * From GRUB (32-bit protected mode, paging off, EAX = loader's magic number, EBX = its information) to kmain() with
 * paging at the kernel's own addresses: with PAE where the CPU has it, unless the command line says pae=0.
 *
 * The tables here are the seed of the boot page tables: low memory, text, data, and the window table, with the very
 * link bits that the HAT uses; PAE directory pointers have no permission bits [SDM3 4.4.1]. Whatever the format, the seed
 * maps text to the start of data, and all that one level-1 entry spans from the start of data on. The boot mapper
 * (hat/kbm.c) extends it; htable_attach() adopts it. Register use: EBP magic, EBX information.
 */
#include <memmap.h>
#include <bootwords.h>

#define PHYS(x)		((x) - KERNEL_OFFSET)
#define DIRPTR		0x001			/* P only */
#define LINK		0x027			/* P, R/W, U/S, A: PT_PTPBITS */
#define LEAF		0x463			/* P, R/W, A, D, PT_NOCONSIST: the MMU has nothing to add */
#define LARGE		(LEAF | 0x080)		/* PS */

#define CPUID_PSE	(1 << 3)
#define CPUID_PAE	(1 << 6)
#define CR4_PSE		0x10
#define CR4_PAE		0x20

#define TEXT_PHYS	0x200000
#define DATA_PHYS	0x400000
#define PDPT_INDEX(va)	((va) >> 30)		/* PAE */
#define PD_INDEX(va)	(((va) >> 21) & 511)
#define TOP_INDEX(va)	((va) >> 22)		/* without */
#define PT_INDEX(va)	(((va) >> 12) & 1023)

#if KERNELBASE_PARAM >= 0xc0000000
#define boot_pd_kernel	boot_pd_window		/* the same gigabyte */
#endif

	.macro	entry table, index, value	/* of 8 bytes */
	movl	$(\value), PHYS(\table) + (\index) * 8
	.endm
	.macro	entry4 table, index, value
	movl	$(\value), PHYS(\table) + (\index) * 4
	.endm
	.macro	fill4 table, index, pa		/* small pages, from an index to the end of the table */
	movl	$PHYS(\table) + (\index) * 4, %edi
	movl	$(\pa) + LEAF, %eax
	movl	$1024 - (\index), %ecx
1:	stosl
	addl	$4096, %eax
	loop	1b
	.endm

	.section .boot.text, "ax"
	.globl	start
start:
	cli
	cld
	movl	%eax, %ebp
	movl	$PHYS(boot_stack_top), %esp
	call	boot_check_cpu

	pushl	%ebx				/* cpuid takes EBX */
	movl	$1, %eax
	cpuid
	movl	%edx, %esi			/* what the CPU has */
	popl	%ebx
	pushl	%ebx
	pushl	%ebp
	call	boot_words			/* EAX: what it must not use */
	addl	$8, %esp
	testl	$CPUID_PAE, %esi
	jz	without_pae
	testl	$BOOT_NO_PAE, %eax
	jnz	without_pae

	entry	boot_top, 0, PHYS(boot_pd_low) + DIRPTR
	entry	boot_pd_low, 0, LARGE
	entry	boot_top, PDPT_INDEX(KERNEL_OFFSET), PHYS(boot_pd_kernel) + DIRPTR
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + TEXT_PHYS), TEXT_PHYS + LARGE
	entry	boot_pd_kernel, PD_INDEX(KERNEL_OFFSET + DATA_PHYS), DATA_PHYS + LARGE
	entry	boot_top, PDPT_INDEX(WINDOW_BASE), PHYS(boot_pd_window) + DIRPTR
	entry	boot_pd_window, PD_INDEX(WINDOW_BASE), PHYS(boot_pt_window) + LINK
	entry	boot_pt_window, WINDOW_TABLE, PHYS(boot_pt_window) + LEAF
	movl	$CR4_PAE, %edx
	jmp	paging_on

	/* 4 MiB pages are twice as large as what lies between text and data: text always gets a table of small pages. */
without_pae:
	entry4	boot_top, TOP_INDEX(KERNEL_OFFSET), PHYS(boot_pt_text) + LINK
	entry4	boot_top, TOP_INDEX(WINDOW_BASE), PHYS(boot_pt_window) + LINK
	entry4	boot_pt_window, WINDOW_TABLE, PHYS(boot_pt_window) + LEAF
	testl	$CPUID_PSE, %esi
	jz	small_pages
	testl	$BOOT_NO_PSE, %eax
	jnz	small_pages
	entry4	boot_top, 0, LARGE
	entry4	boot_top, TOP_INDEX(KERNEL_OFFSET + DATA_PHYS), DATA_PHYS + LARGE
	movl	$CR4_PSE, %edx
	jmp	text_pages
small_pages:
	entry4	boot_top, 0, PHYS(boot_pt_low) + LINK
	fill4	boot_pt_low, 0, 0
	entry4	boot_top, TOP_INDEX(KERNEL_OFFSET + DATA_PHYS), PHYS(boot_pt_data) + LINK
	fill4	boot_pt_data, 0, DATA_PHYS
	xorl	%edx, %edx
text_pages:
	fill4	boot_pt_text, PT_INDEX(TEXT_PHYS), TEXT_PHYS

paging_on:
	movl	%cr4, %eax
	orl	%edx, %eax
	movl	%eax, %cr4
	movl	$PHYS(boot_top), %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	andl	$~0x60000000, %eax		/* GRUB leaves CD and NW set: caches on */
	orl	$0x80010000, %eax		/* PG, WP */
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$0x08, $paged

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
	.globl	boot_top
boot_top:	.skip	4096
boot_pt_low:
boot_pd_low:	.skip	4096
#if KERNELBASE_PARAM < 0xc0000000
boot_pd_kernel:	.skip	4096
#endif
boot_pd_window:
boot_pt_text:	.skip	4096
boot_pt_data:	.skip	4096
boot_pt_window:	.skip	4096
	.globl	boot_stack, boot_stack_top
boot_stack:	.skip	16384
boot_stack_top:
