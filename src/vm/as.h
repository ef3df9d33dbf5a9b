/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Address spaces: segments sorted by address, the pages they have got so far, and the hat that shows them to the MMU.
 *
 * The hat is a cache: any translation may be missing at any time (never made, stolen, reaped), and vm_fault() makes it again
 * from what is kept here. What a page contains is decided here alone.
 *
 * Field letters: [C] constant, [L] a_lock.
 */
#ifndef VM_AS_H
#define VM_AS_H

#include <sys/mutex.h>
#include <vm/anon.h>
#include <vm/hat.h>

struct seg;
struct image;

struct as {
	hat_t *a_hat;       /**< [C] its translations */
	bool a_32bit;       /**< [C] a 32-bit process, perhaps of a 64-bit kernel: user addresses end at 4 GiB */
	kmutex_t a_lock;    /**< taken before any lock of the HAT; never two of them, save parent before child in as_dup() */
	struct seg *a_segs; /**< [L] ascending, not overlapping */
	struct amap a_anon; /**< [L] pages of its own */
	ulong_t a_faults;   /**< [L] how often as_fault() succeeded */
};

/** What became of a fault. */
typedef enum as_result { AS_OK, AS_NOMAP, AS_PROT, AS_NOMEM, AS_BUSY, AS_RANGE } as_result_t;

/** "is not mapped" and so on, for messages. */
const char *as_result_text(as_result_t r);

/** A new, empty address space. Sleeps for memory. */
struct as *as_alloc(bool is32);
/** Give everything back: through hat_free_start() and hat_free_end(). No thread runs it, none will; the caller has the only pointer. */
void as_free(struct as *as);
/** A copy: same segments, same contents; pages are shared until one side writes. Sleeps for memory. @locks takes both a_locks */
struct as *as_dup(struct as *parent);

/** First address that this space cannot have. */
uintptr_t as_limit(const struct as *as);
/** May [va, va + len) be user memory: whole, below as_limit(), not touching the hole? Says nothing about what is mapped. */
bool as_range_ok(const struct as *as, uintptr_t va, size_t len);

/**
 * Make a segment. Pages come when they are touched: from the image, zero beyond its bytes.
 * @param va,len    page aligned
 * @param prot      PROT_READ, PROT_WRITE, PROT_EXEC; either of the last two gives the first as well
 * @param im        NULL: zeroes
 * @param off       offset in the image of the byte at va: page aligned
 * @param filesz    bytes from va on that the image provides
 * @return          AS_OK; AS_RANGE: not user memory, or len 0; AS_BUSY: overlaps a segment
 */
as_result_t as_map(struct as *as, uintptr_t va, size_t len, uint_t prot, const struct image *im, size_t off, size_t filesz);
/** First free place of that size at or above `from`, 0: none. Only a hint unless the caller holds a_lock. */
uintptr_t as_find_free(struct as *as, uintptr_t from, size_t len);
/** Remove all that is mapped in a range, and its pages. Holes in it are no error. */
as_result_t as_unmap(struct as *as, uintptr_t va, size_t len);
/** Change the protection of a range that is mapped throughout (else AS_NOMAP, nothing is changed). */
as_result_t as_setprot(struct as *as, uintptr_t va, size_t len, uint_t prot);

/**
 * Make an access possible: find or make the page, load its translation.
 * @param access  PROT_READ, PROT_WRITE or PROT_EXEC: one of them
 * @locks         takes a_lock; memory is allocated under it
 */
as_result_t as_fault(struct as *as, uintptr_t va, uint_t access);
/** Write into an address space that need not be the current one: arguments of a new process. @return as as_fault() */
as_result_t as_write(struct as *as, uintptr_t va, const void *buf, size_t n);
/** Drop all translations, as a thief would; contents stay. For tests. */
void as_forget_translations(struct as *as);

#endif
