/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Segments: ranges of an address space with one protection and one origin. Guarded by the space's a_lock.
 */
#ifndef VM_SEG_H
#define VM_SEG_H

#include <sys/types.h>

struct as;
struct anon;
struct image;

struct seg {
	struct seg *s_next;          /**< the next higher one */
	uintptr_t s_base;            /**< page aligned */
	size_t s_size;               /**< bytes, page aligned, not 0 */
	uint_t s_prot;               /**< PROT_READ | PROT_WRITE | PROT_EXEC */
	const struct image *s_image; /**< where contents come from; NULL: zeroes */
	size_t s_off;                /**< offset in it of the byte at s_base: page aligned */
	size_t s_filesz;             /**< bytes from s_base on that it provides; zeroes follow */
};

/** Last byte: unlike the end it does not overflow. */
static inline uintptr_t
seg_last(const struct seg *s)
{
	return (s->s_base + (s->s_size - 1));
}

/** The segment that an address lies in, or NULL. */
struct seg *seg_find(const struct as *as, uintptr_t va);
/** The lowest segment that reaches into [va, last], or NULL. */
struct seg *seg_first(const struct as *as, uintptr_t va, uintptr_t last);
/** Put a copy of a segment where it belongs in the list: it overlaps nothing. Sleeps for memory. */
void seg_insert(struct as *as, const struct seg *s);
/** Take it out of the list and free it; pages are the caller's business. */
void seg_remove(struct as *as, struct seg *s);
/** Make a boundary at this address, if it lies inside a segment. */
void seg_split(struct as *as, uintptr_t at);

/** The frame of the image that shows this page of the segment as it is; PFN_INVALID: the page has to be made. */
pfn_t seg_direct_pfn(const struct seg *s, uintptr_t va);
/** Fill a new page with what the segment has at va (page aligned). */
void seg_fill(const struct seg *s, uintptr_t va, struct anon *an);

#endif
