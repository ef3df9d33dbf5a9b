/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Anonymous pages, counted because forked spaces share them, and the map from address to page of one space.
 *
 * A page with one reference belongs to one space and may be written; with more it is read-only everywhere, and who writes
 * gets a copy. References grow only under the a_lock of a space that has one: who sees 1 under its own lock may rely on it.
 */
#ifndef VM_ANON_H
#define VM_ANON_H

#include <sys/types.h>

struct page;

struct anon {
	struct page *an_page;        /**< constant; exclusive-locked as long as the anon exists */
	volatile uint32_t an_refcnt; /**< atomic: maps that show it */
};

/** One entry of a map. */
struct aslot {
	struct aslot *as_next;
	uintptr_t as_va;
	struct anon *as_anon;
};

/** A hash from page address to page. Zero-filled is empty. Guarded by the address space's a_lock. */
struct amap {
	struct aslot **am_bucket;
	uint_t am_size; /**< a power of two, or 0 */
	uint_t am_count;
};

/** How many pages and slots exist, in all: 0 when no process is left. */
extern volatile uint32_t anon_count;

/** A page of memory, contents arbitrary, one reference; NULL after having waited for memory in vain. */
struct anon *anon_alloc(void);
void anon_hold(struct anon *an);
/** Give a reference back; the last one frees the page, which must be mapped nowhere. */
void anon_release(struct anon *an);

/** The slot of a page address, or NULL. */
struct aslot *amap_find(const struct amap *am, uintptr_t va);
/** Add a page that is not there yet; takes over the caller's reference. Sleeps for memory. */
void amap_insert(struct amap *am, uintptr_t va, struct anon *an);
/** Remove and release all pages of [va, last]: no translation may show them any more. */
void amap_remove(struct amap *am, uintptr_t va, uintptr_t last);
/** Call fn for every page, in no order. fn must not change the map. */
void amap_walk(const struct amap *am, void (*fn)(struct aslot *, void *), void *arg);
/** Remove everything, the hash too. */
void amap_destroy(struct amap *am);

#endif
