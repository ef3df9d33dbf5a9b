/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where things are in the pretend 64-bit kernel.
 *
 * Two kinds of addresses. What is only ever computed with, in tables, ranges and hashes, has the number that the real
 * kernel uses: the split between user and kernel, the image, the heap, the linear map in the tables. What the HAT
 * dereferences must be an address that Linux gives to a program, in the lower half:
 *
 *     0x00007e8000000000  windows: also their place in the tables, below kernelbase, in the kernel's hat only
 *     0x00007e8000400000  pages of kernel memory that the MMU too must be able to read (kmem.c)
 *     0x00007e9000000000  the linear map as it is used (kpm_vbase), once the tables have it at KPM_BASE
 *
 * All of it is where ThreadSanitizer and AddressSanitizer let programs have memory.
 *
 * So two entries of the window table lose their global bit (boot.c), and copied slots do not show the windows, which
 * nobody misses, since no access to them goes through the pretend MMU.
 */
#ifndef MEMMAP_H
#define MEMMAP_H

#define MEMMAP_ADDR(x) x##ul

#define KERNELBASE    MEMMAP_ADDR(0xfffff80000000000)
#define USERLIMIT     KERNELBASE
#define KPM_BASE      MEMMAP_ADDR(0xfffff80000000000)
#define HEAP_BASE     MEMMAP_ADDR(0xfffffe8000000000)
#define HEAP_END      MEMMAP_ADDR(0xffffff0000000000)
#define KERNEL_OFFSET MEMMAP_ADDR(0xffffffff80000000)
#define BOOTMEM_END   MEMMAP_ADDR(0xffffffffc0000000)
#define WINDOW_BASE   MEMMAP_ADDR(0x00007e8000000000)
#define OBJECTS_BASE  MEMMAP_ADDR(0x10000) /* objects are the host's */

#define HOST_PAGES (WINDOW_BASE + 0x400000)
#define HOST_KPM   MEMMAP_ADDR(0x00007e9000000000)

#define FLAVOR_NAME "amd64"

#include <sys/windows.h>

#endif
