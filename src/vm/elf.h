/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Programs as ELF files, 32- and 64-bit [ELF 1.2, gABI 4.1].
 */
#ifndef VM_ELF_H
#define VM_ELF_H

#include <sys/types.h>

struct as;
struct image;

#define ELF_MAXSEGS 16 /**< program headers that a file may have */

/** One loadable segment, checked and rounded to pages. */
struct elf_seg {
	uintptr_t es_base;
	size_t es_size;
	uint_t es_prot;   /**< PROT_* */
	size_t es_off;    /**< offset in the file of the byte at es_base */
	size_t es_filesz; /**< bytes from es_base on that the file provides */
};

/** What is left of a file that is fit to be run. */
struct elf_program {
	bool ep_32bit;
	uintptr_t ep_entry;
	uint_t ep_nsegs;
	struct elf_seg ep_seg[ELF_MAXSEGS];
};

/** Which width does the file say that it has? NULL and *is32, or why it is no program for this kernel. */
const char *elf_width(const struct image *im, bool *is32);
/**
 * Read and check a file, trusting nothing in it.
 * @param as  the space that it would be loaded into: its limits count
 * @return    NULL: *ep is filled in; else what is wrong, for a message
 */
const char *elf_read(const struct image *im, const struct as *as, struct elf_program *ep);
/** Map what elf_read() has found into an empty space. @return NULL, or what is wrong; the space is then to be freed */
const char *elf_map(const struct image *im, struct as *as, const struct elf_program *ep);

#endif
