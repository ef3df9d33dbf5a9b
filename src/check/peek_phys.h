/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Physical memory for those who check: a route of their own, so that they do not believe the HAT's.
 */
#ifndef CHECK_PEEK_PHYS_H
#define CHECK_PEEK_PHYS_H

#include <sys/types.h>

/**
 * Copy physical memory. Wherever it is: before the HAT runs through the boot loader's window, then through the linear map
 * (amd64) or the checker's own window.
 * @return  false when there is no memory there
 */
bool peek_phys(paddr_t pa, void *buf, size_t len);
/** The other direction; for tests and damage. An entry is stored whole when len is 8 or 4 and pa aligned to it. */
bool poke_phys(paddr_t pa, const void *buf, size_t len);

/** @name For who interrupts others in the middle of it: what the window shows now, and show that again
 * @{ */
uint64_t peek_phys_save(void);
void peek_phys_restore(uint64_t window);
/** @} */

/**
 * The checker's window: one page of kernel VA and where its entry can be stored, or 0 and NULL when the linear map serves.
 * Set once, by hat_kern_alloc(); the entry is 8 bytes with PAE, else 4, and stays 0 while unused.
 */
extern uintptr_t check_window_va;
extern void *check_window_pte;

#endif
