/* SPDX-License-Identifier: ISC */
/*
 * On a CPU that this kernel cannot use: say in one line what it lacks, and stop. Runs in 32-bit protected mode, paging off, at
 * physical addresses, for both kernels; no C yet, which may use any instruction of an i686.
 */
#define EFLAGS_ID	(1 << 21)
#define CPUID_TSC	(1 << 4)
#define CPUID_MSR	(1 << 5)
#define CPUID_CX8	(1 << 8)
#define CPUID_CMOV	(1 << 15)

#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define LSR_THRE	0x20
#define LSR_TEMT	0x40			/* all is on the line */
#define POLLS		0x10000			/* a UART that is not there never gets ready */

#define VGA_LAST_LINE	(0xb8000 + 24 * 160)
#define VGA_COLUMNS	80
#define WHITE_ON_RED	0x4f

	.section .boot.text, "ax"
	.code32

/* What both kernels need of a CPU. EBX and EBP stay as they are. */
	.globl	boot_check_cpu
boot_check_cpu:
	pushl	%ebx
	pushfl
	popl	%eax
	movl	%eax, %ecx
	xorl	$EFLAGS_ID, %eax
	pushl	%eax
	popfl
	pushfl
	popl	%eax
	movl	$.Lno_cpuid, %esi
	cmpl	%ecx, %eax			/* the bit can be changed only where there is CPUID [SDM1 20.1] */
	je	boot_refuse

	movl	$1, %eax
	cpuid
	movl	$.Lneeds, %esi
1:	lodsl
	testl	%eax, %eax
	jz	3f
	testl	%eax, %edx
	jz	boot_refuse			/* ESI is at the words for it */
2:	lodsb
	testb	%al, %al
	jnz	2b
	jmp	1b
3:	popl	%ebx
	ret

/* ESI: what to say, on port E9 as a record for the host's tools, on the serial line and the screen for people. Never returns. */
	.globl	boot_refuse
boot_refuse:
	movl	%esi, %ebp
	movl	$.Lbefore, %esi
	call	say_e9
	movl	%ebp, %esi
	call	say_e9
	movl	$.Lbehind, %esi
	call	say_e9

	movl	$.Luart_setup, %esi
	movl	$6, %ecx
1:	xorl	%eax, %eax
	lodsw					/* value, register */
	movzbl	%ah, %edx
	addl	$COM1, %edx
	outb	%al, %dx
	loop	1b
	movl	$.Lgreeting, %esi
	call	say_com1
	movl	%ebp, %esi
	call	say_com1
	movl	$.Lnewline, %esi
	call	say_com1
	movl	$POLLS, %ecx
	movl	$COM1_LSR, %edx
1:	inb	%dx, %al
	testb	$LSR_TEMT, %al
	loopz	1b

	movl	$VGA_LAST_LINE, %edi
	movl	$VGA_COLUMNS, %ecx
	movl	$(WHITE_ON_RED << 8) + ' ', %eax
	rep stosw
	movl	$VGA_LAST_LINE, %edi
	movl	$.Lgreeting, %esi
	call	say_vga
	movl	%ebp, %esi
	call	say_vga

	xchg	%bx, %bx			/* a debugger may look */
1:	cli
	hlt
	jmp	1b

say_e9:
	lodsb
	testb	%al, %al
	jz	1f
	outb	%al, $0xe9
	jmp	say_e9
1:	ret

say_com1:
	lodsb
	testb	%al, %al
	jz	2f
	movb	%al, %ah
	movl	$POLLS, %ecx
	movl	$COM1_LSR, %edx
1:	inb	%dx, %al
	testb	$LSR_THRE, %al
	loopz	1b
	movb	%ah, %al
	movl	$COM1, %edx
	outb	%al, %dx
	jmp	say_com1
2:	ret

say_vga:
	movb	$WHITE_ON_RED, %ah
1:	lodsb
	testb	%al, %al
	jz	2f
	stosw
	jmp	1b
2:	ret

/* Value, register: no interrupts; 115200 baud, 8N1; FIFOs on (kern's own driver is x86/cons_serial.c). */
.Luart_setup:
	.byte	0x00, 1,  0x80, 3,  0x01, 0,  0x00, 1,  0x03, 3,  0x07, 2
.Lgreeting:
	.asciz	"hatlab: "
.Lnewline:
	.asciz	"\r\n"
.Lbefore:
	.asciz	"%panic cpu=0 text="
.Lbehind:
	.asciz	"\n%done result=panic\n"
.Lno_cpuid:
	.asciz	"this CPU has no CPUID instruction: too old"
.Lneeds:
	.long	CPUID_TSC
	.asciz	"this CPU has no time-stamp counter (RDTSC)"
	.long	CPUID_MSR
	.asciz	"this CPU has no model-specific registers (RDMSR)"
	.long	CPUID_CX8
	.asciz	"this CPU has no 8-byte compare-and-exchange (CMPXCHG8B)"
#ifndef __i586__	/* an image compiled for such a CPU has none */
	.long	CPUID_CMOV
	.asciz	"this CPU has no conditional moves (CMOV): an i686 is needed"
#endif
	.long	0
