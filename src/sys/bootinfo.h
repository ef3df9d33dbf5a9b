/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the boot loader told us, copied out of its memory before anything else moves.
 */
#ifndef SYS_BOOTINFO_H
#define SYS_BOOTINFO_H

#include <sys/types.h>

#define BOOT_MAXRANGES  32
#define BOOT_MAXMODULES 32

/** A piece of physical memory. */
typedef struct boot_range {
	paddr_t br_start, br_end;
} boot_range_t; /**< [start, end) in bytes */

/** A file that the boot loader has put into memory. */
typedef struct boot_module {
	paddr_t bm_start, bm_end;
	char bm_name[32]; /**< first word of its string */
} boot_module_t;

/** All of it. Constant once bootinfo_read() has filled it in. */
typedef struct bootinfo {
	int bi_version; /**< Multiboot 1 or 2 */
	char bi_cmdline[1024];
	boot_range_t bi_ram[BOOT_MAXRANGES]; /**< usable memory, sorted, page aligned inwards */
	int bi_nram;
	boot_module_t bi_module[BOOT_MAXMODULES];
	int bi_nmodules;
	paddr_t bi_rsdp; /**< physical address of the ACPI root pointer, 0: search for it */
} bootinfo_t;

extern bootinfo_t bootinfo;

/** Read memory at any physical address, before or after paging is ours; goes through the boot window. Single CPU. */
void boot_read_phys(paddr_t pa, void *buf, size_t len);
/** Memory for ever, mapped and zeroed, page aligned sizes; only before khat_running. Panics when there is none. */
void *boot_alloc(size_t size);

#endif
