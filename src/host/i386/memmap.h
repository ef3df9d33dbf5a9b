/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where things are in the pretend 32-bit kernel.
 *
 * As in the real one, but for the windows: a 32-bit program of a 64-bit Linux has all 4 GiB except what its stack and
 * libraries take at the top, so the windows stand lower, in addresses that nothing else wants. The heap is computed with only.
 */
#ifndef MEMMAP_H
#define MEMMAP_H

#define MEMMAP_ADDR(x) x##ul

#ifndef KERNELBASE_PARAM
#	define KERNELBASE_PARAM 0xc0000000
#endif
#define MEMMAP_PARAM(x) MEMMAP_ADDR(x)

#define KERNELBASE    MEMMAP_PARAM(KERNELBASE_PARAM)
#define USERLIMIT     KERNELBASE
#define KPM_BASE      MEMMAP_ADDR(0)
#define HEAP_BASE     (KERNELBASE + 0x08000000)
#define HEAP_END      MEMMAP_ADDR(0xe0000000)
#define KERNEL_OFFSET KERNELBASE
#define BOOTMEM_END   HEAP_BASE
#define WINDOW_BASE   MEMMAP_ADDR(0xe4000000)
#define OBJECTS_BASE  MEMMAP_ADDR(0x10000) /* objects are the host's */

#define HOST_PAGES (WINDOW_BASE + 0x400000)
#define HOST_KPM   MEMMAP_ADDR(0)

#define FLAVOR_NAME "i386"

#include <sys/windows.h>

#endif
