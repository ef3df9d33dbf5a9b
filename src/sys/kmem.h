/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Object caches (slabs) and plain kernel memory.
 */
#ifndef SYS_KMEM_H
#define SYS_KMEM_H

#include <sys/types.h>
#include <sys/vmem.h>

#define KM_SLEEP   0x0 /**< wait until there is memory (kicks kmem_reap() and the page allocator, backs off) */
#define KM_NOSLEEP 0x1 /**< NULL rather than wait */

#define KMC_NOHASH  0x1 /**< slab bookkeeping inside the slab: a slab is one VA allocation. All caches are like that */
#define KMC_NODEBUG 0x2 /**< no redzone or freed-pattern in DEBUG builds */

typedef struct kmem_cache kmem_cache_t;

/**
 * Make a cache of objects. Sleeps for memory.
 *
 * @param name     cut to 23 characters; copied
 * @param size     of an object; at most 32000 or so
 * @param align    a power of two; 0: that of a pointer
 * @param ctor     called for an object before it is handed out the first time (DEBUG: each time); takes no memory, returns 0
 * @param dtor     called before its memory goes back (DEBUG: each time it is freed)
 * @param reclaim  called by the reaping thread when memory is short, with no lock held; may be NULL
 * @param arena    where slabs come from (kmem_va_arena, hat_memload_arena); NULL: kmem_va_arena
 * @param arg      handed to the three functions
 * @param flags    KMC_*
 */
kmem_cache_t *kmem_cache_create(const char *name, size_t size, size_t align, int (*ctor)(void *, void *, int),
    void (*dtor)(void *, void *), void (*reclaim)(void *), void *arg, vmem_t *arena, int flags);
/** Nobody uses the cache any more. Panics when an object is still out. */
void kmem_cache_destroy(kmem_cache_t *c);
/**
 * Take an object. Contents arbitrary (DEBUG: a pattern), or as the constructor or the last user left them.
 *
 * May enter the HAT to map a new slab. Call with preemption on and no spinlock.
 * @param c       the cache
 * @param kmflag  KM_SLEEP: never NULL; KM_NOSLEEP: NULL when there is no memory now
 * @locks         Takes the cache's lock, and below it none.
 */
void *kmem_cache_alloc(kmem_cache_t *c, int kmflag);
/**
 * Give it back; may enter the HAT to unmap a slab. Panics when it is not an object of this cache, is free already, or (DEBUG)
 * was overrun.
 */
void kmem_cache_free(kmem_cache_t *c, void *obj);
/** Objects handed out and not yet returned. */
size_t kmem_cache_inuse(const kmem_cache_t *c);

/** Memory of any size > 0, aligned to 16; more than 2 KiB: to a page. Rules and flags as for kmem_cache_alloc(). */
void *kmem_alloc(size_t size, int kmflag);
/** The same, zeroed. */
void *kmem_zalloc(size_t size, int kmflag);
/** `size` as it was asked for: it tells which cache. */
void kmem_free(void *p, size_t size);

/** Have all caches give memory back in the background: reclaim callbacks, then empty slabs. Returns at once, takes no mutex. */
void kmem_reap(void);
/** The same, here and now (tests, and the reaping thread). No lock held. */
void kmem_reap_sync(void);

/** Wait until the background has done what kmem_reap() asked for. No lock held. */
void kmem_reap_settle(void);

/** For tests, DEBUG: let every n-th KM_NOSLEEP request for an object fail (0: none). */
extern uint64_t kmem_fail_after;

/** Print a table of all caches. */
void kmem_show(void);

void kmem_init(void);        /**< needs boot_alloc() only; before the HAT runs, slabs come from it */
void kmem_thread_init(void); /**< starts the reaping thread */

#endif
