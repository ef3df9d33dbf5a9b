/* SPDX-License-Identifier: ISC */
/*
 * The image: entry code at physical 1 MiB where it runs without paging, then text and data, each at the start of a large
 * page of its own, so that one entry with the right permissions maps each. The gaps are not in the file.
 */
#include <memmap.h>

ENTRY(start)

PHDRS
{
	boot PT_LOAD FLAGS(5);
	text PT_LOAD FLAGS(5);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = 0x100000;
	.boot : { KEEP(*(.multiboot)) *(.boot.text) } :boot

	. = KERNEL_OFFSET + 0x200000;
	.text : AT(ADDR(.text) - KERNEL_OFFSET) {
		text_start = .;
		copies_start = .;	/* a graded image: what the student wrote */
		*(.text.copies .text.copies.*)
		copies_end = .;
		*(.text .text.*)
		text_end = .;
	} :text
	.rodata : AT(ADDR(.rodata) - KERNEL_OFFSET) {
		*(.rodata .rodata.* .eh_frame)
		. = ALIGN(16);
		__start_tunables = .;
		KEEP(*(tunables))
		__stop_tunables = .;
		. = ALIGN(16);
		__start_checks = .;
		KEEP(*(checks))
		__stop_checks = .;
		. = ALIGN(16);
		__start_monitor = .;
		KEEP(*(monitor))
		__stop_monitor = .;
		KEEP(*(.rodata.symtab))
		rodata_end = .;
	} :text

	. = KERNEL_OFFSET + 0x400000;
	.data : AT(ADDR(.data) - KERNEL_OFFSET) {
		data_start = .;
		framework_start = .;	/* of the checks (check/evidence.h) */
		*(.data.framework)
		. = ALIGN(8);
		framework_end = .;
		*(.data .data.*)
		. = ALIGN(8);
		__start_gcov_info = .;
		KEEP(*(gcov_info))
		__stop_gcov_info = .;
	} :data
	.bss : AT(ADDR(.bss) - KERNEL_OFFSET) { *(.bss .bss.* COMMON) . = ALIGN(4096); kernel_end = .; } :data

	/DISCARD/ : { *(.comment .note .note.* .eh_frame_hdr) }
}

ASSERT(rodata_end <= KERNEL_OFFSET + 0x400000, "text and constants are larger than 2 MiB")
