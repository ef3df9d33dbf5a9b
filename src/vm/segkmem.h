/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Kernel mappings of memory and devices; segkmem_alloc() and segkmem_free() are declared in sys/vmem.h.
 */
#ifndef VM_SEGKMEM_H
#define VM_SEGKMEM_H

#include <sys/types.h>

/** Map device registers, uncached, for ever. After the HAT runs. @return address of the byte at pa */
void *map_device(paddr_t pa, size_t len);

#endif
