/* SPDX-License-Identifier: ISC */
/*
 * Headers by which a boot loader recognises us: Multiboot 2 and Multiboot 1, either will do. They must come early in the
 * file (the first 8 KiB), so the linker script puts this section first.
 */
	.section .multiboot, "a"

	.balign	8
mb2:	.long	0xe85250d6, 0, mb2_end - mb2, -(0xe85250d6 + 0 + (mb2_end - mb2))
	.balign	8
	.word	1, 0			/* information request: command line, modules, memory map */
	.long	20, 1, 3, 6
	.balign	8
	.word	6, 1			/* modules page aligned; optional */
	.long	8
	.balign	8
	.word	0, 0
	.long	8
mb2_end:

#define MB1_FLAGS	0x3		/* modules page aligned, memory map wanted */
	.balign	4
	.long	0x1badb002, MB1_FLAGS, -(0x1badb002 + MB1_FLAGS)
