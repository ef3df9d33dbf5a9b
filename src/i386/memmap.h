/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where things are in the 32-bit kernel's address space. Also read by assembly and the linker script.
 *
 * KERNELBASE is a parameter of the build (`make KERNELBASE=0xd0800000`), a multiple of 4 MiB, at most 0xe0000000.
 *
 *     0x00000000               user
 *     KERNELBASE + 0x00200000  text and constants    = physical 2 MiB
 *     KERNELBASE + 0x00400000  data, then boot memory = physical 4 MiB
 *     KERNELBASE + 0x08000000  heap: VA with pages put behind it
 *     0xffc00000               windows: one page table's worth of them
 */
#ifndef MEMMAP_H
#define MEMMAP_H

#ifdef __ASSEMBLER__
#	define MEMMAP_ADDR(x) x
#else
#	define MEMMAP_ADDR(x) x##ul
#endif

#ifndef KERNELBASE_PARAM
#	define KERNELBASE_PARAM 0xc0000000
#endif
#define MEMMAP_PARAM(x) MEMMAP_ADDR(x) /* expands its argument first */

#define KERNELBASE    MEMMAP_PARAM(KERNELBASE_PARAM)
#define USERLIMIT     KERNELBASE
#define KPM_BASE      MEMMAP_ADDR(0)
#define HEAP_BASE     (KERNELBASE + 0x08000000)
#define HEAP_END      (KERNELBASE + 0x18000000)
#define KERNEL_OFFSET KERNELBASE
#define BOOTMEM_END   HEAP_BASE
#define WINDOW_BASE   MEMMAP_ADDR(0xffc00000)

#if KERNELBASE_PARAM & 0x3fffff
#	error "KERNELBASE must be a multiple of 4 MiB"
#endif
#if KERNELBASE_PARAM > 0xe0000000 || KERNELBASE_PARAM < 0x40000000
#	error "KERNELBASE must lie between 0x40000000 and 0xe0000000"
#endif

#define OBJECTS_BASE KERNELBASE /* the HAT's objects are at no lower address */

#define FLAVOR_NAME "i386"

#include <sys/windows.h>

#endif
