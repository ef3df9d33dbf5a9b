/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief From the boot loader to kmain(): what the entry code and the linker script define.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <sys/types.h>

/** Fill `bootinfo` from a loader's magic number and information block. Panics on anything but Multiboot. */
void bootinfo_read(uint32_t magic, paddr_t info);

/** Memory for boot: see sys/bootinfo.h. Starts right behind the image. */
void boot_memory_init(void);
/** The page allocator owns the rest from here on: boot_alloc() panics. */
void boot_memory_close(void);
/** Is this frame part of the image, a boot module, or boot memory handed out so far? */
bool boot_owns(paddr_t pa);

extern char text_start[], text_end[], rodata_end[], data_start[], kernel_end[];

#endif
