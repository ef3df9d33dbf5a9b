/* SPDX-License-Identifier: ISC */
/*
 * A kernel of a few hundred bytes for testing the host's tools: it says what docs/protocol.md asks for, builds one
 * small PAE address space and describes it.  The first letter of the command line selects what goes wrong:
 *
 *	c	crash: a triple fault after %hello
 *	h	hang after %hello
 *	m	mute: hang without a word
 *	g	garbage instead of records
 *	l	lie: claim a writable page that is read-only in the tables
 *	n	no %done: stop for ever after the checkpoint
 *	f	%done result=fail
 */
#define PDPT	0x200000
#define PD	0x201000
#define PT	0x202000

	.section .header, "a"
	.align	8
	.long	0x1badb002, 3, -(0x1badb002 + 3)
	.align	8
mb2:	.long	0xe85250d6, 0, mb2end - mb2, -(0xe85250d6 + mb2end - mb2)
	.long	0, 8
mb2end:

	.text
	.globl	_start
_start:
	mov	$stack, %esp
	cmp	$0x36d76289, %eax
	je	1f
	mov	16(%ebx), %ebp		/* multiboot: the command line's address */
	jmp	have_args
1:	lea	8(%ebx), %ebp		/* multiboot2: look for tag 1 */
2:	mov	(%ebp), %eax
	cmp	$1, %eax
	je	3f
	mov	4(%ebp), %ecx
	add	$7, %ecx
	and	$~7, %ecx
	add	%ecx, %ebp
	jmp	2b
3:	add	$8, %ebp
have_args:
	cmpb	$'"', (%ebp)		/* GRUB quotes a line with blanks */
	jne	1f
	inc	%ebp
1:	mov	(%ebp), %bl
	cmp	$'m', %bl
	je	hang
	cmp	$'g', %bl
	jne	1f
	mov	$garbage, %esi
	call	puts
	jmp	stop
1:	mov	$hello, %esi
	call	puts
	mov	$cmdline, %esi
	call	puts
	mov	%ebp, %esi
	call	puts
	mov	$newline, %esi
	call	puts
	cmp	$'c', %bl
	je	crash

	cmp	$'h', %bl
	je	hang_here
	call	paging_on
	.globl	after_paging
after_paging:
	mov	$dump, %esi
	call	puts
	mov	$leaf_true, %esi
	cmp	$'l', %bl
	jne	1f
	mov	$leaf_lie, %esi
1:	call	puts
	mov	$dump_end, %esi
	call	puts
	xchg	%bx, %bx
	cmp	$'n', %bl
	je	stop
	mov	$done_ok, %esi
	cmp	$'f', %bl
	jne	1f
	mov	$done_fail, %esi
1:	call	puts
	xchg	%bx, %bx
stop:	cli
	hlt
	jmp	stop

hang:	jmp	hang
hang_here:
	jmp	hang_here

crash:	lidt	no_idt
	int3

puts:	mov	$0xe9, %dx
1:	lodsb
	test	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	ret

/* 0-2M as one large page; 2M-4M by a page table with three pages. */
paging_on:
	mov	$PDPT, %edi
	mov	$0x3000 / 4, %ecx
	xor	%eax, %eax
	rep stosl
	movl	$PD + 0x001, PDPT
	movl	$0x083, PD		/* large, writable */
	movl	$PT + 0x003, PD + 8
	movl	$0x200003, PT		/* the tables themselves */
	movl	$0x201003, PT + 8
	movl	$0x300001, PT + 16	/* read-only, no-execute */
	movl	$0x80000000, PT + 20
	mov	$0xc0000080, %ecx	/* EFER.NXE */
	rdmsr
	or	$0x800, %eax
	wrmsr
	mov	%cr4, %eax
	or	$0x20, %eax
	mov	%eax, %cr4
	mov	$PDPT, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	and	$~0x60000000, %eax
	or	$0x80010000, %eax
	mov	%eax, %cr0
	ret

	.section .rodata
no_idt:	.word	0
	.long	0
hello:	.asciz	"%hello version=1 flavor=i386 mode=pae cpus=1 seed=1 lab=- ram=65020 kernelbase=0x0\n"
cmdline: .asciz	"cmdline: "
newline: .asciz	"\n"
garbage: .asciz	"\200\377%%%\n%(0) Magic\nx"
dump:	.ascii	"%cp-begin name=tiny n=1 cpu=0 cr3=0x000000200000 hat=0xc0001000\n"
	.ascii	"hat 0xc0001000 kernel flags=- top=2 pages=3,1,0 cpus=0x1 root=0x000000200000\n"
	.ascii	"  ht 0xc0002000 level=2 0x0000000000000000-0x00000000ffffffff pfn=0x200 busy=1 valid=1 lock=0 flags=- parent=-\n"
	.ascii	"    link 0 -> 0x000000201000 flags=0x001\n"
	.ascii	"  ht 0xc0002040 level=1 0x0000000000000000-0x000000003fffffff pfn=0x201 busy=2 valid=2 lock=0 flags=- parent=0xc0002000\n"
	.ascii	"    leaf 0 0x0000000000000000-0x00000000001fffff -> 0x000000000000-0x0000001fffff 2M rwxs - -- c0 s0\n"
	.ascii	"    link 1 -> 0x000000202000 flags=0x003\n"
	.ascii	"  ht 0xc0002080 level=0 0x0000000000200000-0x00000000003fffff pfn=0x202 busy=3 valid=3 lock=0 flags=- parent=0xc0002040\n"
	.asciz	"    leaf 0-1 0x0000000000200000-0x0000000000201fff -> 0x000000200000-0x000000201fff 4K rwxs - -- c0 s0\n"
leaf_true:
	.asciz	"    leaf 2 0x0000000000202000-0x0000000000202fff -> 0x000000300000-0x000000300fff 4K r--s - -- c0 s0\n"
leaf_lie:
	.asciz	"    leaf 2 0x0000000000202000-0x0000000000202fff -> 0x000000300000-0x000000300fff 4K rw-s - -- c0 s0\n"
dump_end:
	.ascii	"cr3: 0x000000200000\n"
	.ascii	"0x0000000000000000-0x0000000000201fff -> 0x000000000000-0x000000201fff\n"
	.ascii	"0x0000000000202000-0x0000000000202fff -> 0x000000300000-0x000000300fff\n"
	.asciz	"%cp-end name=tiny lines=12\n"
done_ok: .asciz	"%done result=ok\n"
done_fail: .asciz "%done result=fail\n"

	.bss
	.skip	4096
stack:
