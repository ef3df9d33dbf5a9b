/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Files that programs come from: GRUB's modules, which stay where GRUB put them, for ever.
 */
#ifndef VM_IMAGE_H
#define VM_IMAGE_H

#include <sys/types.h>

/** A file in memory. Constant. */
struct image {
	char im_name[32];
	size_t im_size;
	paddr_t im_pa;      /**< of its first byte; page aligned when GRUB honours our header */
	const void *im_mem; /**< not NULL: it is kernel memory at this address instead (tests) */
};

/** The module of that name, or NULL. */
const struct image *image_find(const char *name);
/** The n-th module, or NULL. */
const struct image *image_number(uint_t n);
/** Copy bytes out. @return false: not all of them are inside the file */
bool image_read(const struct image *im, size_t off, void *buf, size_t n);
/**
 * The frame that holds a whole page of the file, so that it can be shown to programs as it is.
 * @param off  page aligned
 * @return     PFN_INVALID: there is no such frame (the file is not page aligned, or ends inside this page)
 */
pfn_t image_pfn(const struct image *im, size_t off);

#endif
