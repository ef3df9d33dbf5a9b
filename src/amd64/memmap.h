/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where things are in the 64-bit kernel's address space. Also read by assembly and the linker script.
 *
 * Everything of the kernel is in top-level slots 496-511, inside the part (480-511) that Bochs' `info tab` walks; user
 * space is all below: the lower half, and the upper half up to kernelbase.
 *
 *     0x0000000000000000  user, lower half                       (slots 0-255)
 *     0xffff800000000000  user, upper half                       (slots 256-495)
 *     0xfffff80000000000  kernelbase = kpm: all RAM, linear      (slots 496-503)
 *     0xfffffe8000000000  heap: VA with pages put behind it      (slot 509)
 *     0xffffffff80200000  text and constants    = physical 2 MiB (slot 511)
 *     0xffffffff80400000  data, then boot memory = physical 4 MiB
 *     0xffffffffffc00000  windows: one page table's worth of them
 */
#ifndef MEMMAP_H
#define MEMMAP_H

#ifdef __ASSEMBLER__
#	define MEMMAP_ADDR(x) x
#else
#	define MEMMAP_ADDR(x) x##ul
#endif

#define KERNELBASE    MEMMAP_ADDR(0xfffff80000000000)
#define USERLIMIT     KERNELBASE
#define KPM_BASE      MEMMAP_ADDR(0xfffff80000000000) /* 0 on i386: no linear map */
#define HEAP_BASE     MEMMAP_ADDR(0xfffffe8000000000)
#define HEAP_END      MEMMAP_ADDR(0xffffff0000000000)
#define KERNEL_OFFSET MEMMAP_ADDR(0xffffffff80000000) /* VA of the image and of boot memory = physical + this */
#define BOOTMEM_END   MEMMAP_ADDR(0xffffffffc0000000) /* boot memory is mapped at most up to here */
#define WINDOW_BASE   MEMMAP_ADDR(0xffffffffffc00000)

#define OBJECTS_BASE KERNELBASE /* the HAT's objects are at no lower address */

#define FLAVOR_NAME "amd64"

#include <sys/windows.h>

#endif
