/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Object caches (slabs) and plain kernel memory.
 */
#ifndef SYS_KMEM_H
#define SYS_KMEM_H

#include <sys/types.h>
#include <sys/vmem.h>

#define KM_SLEEP	0x0	/**< wait until there is memory (kicks kmem_reap() and the page allocator, backs off) */
#define KM_NOSLEEP	0x1	/**< NULL rather than wait */

#define KMC_NOHASH	0x1	/**< slab bookkeeping inside the slab: a slab costs one VA allocation and nothing else */
#define KMC_NODEBUG	0x2	/**< no redzone or freed-pattern in DEBUG builds */

typedef struct kmem_cache kmem_cache_t;

/**
 * @param reclaim  called by the reaping thread when memory is short, with no lock held; may be NULL
 * @param arena    where slabs come from (heap_arena, hat_memload_arena); NULL: heap_arena
 */
kmem_cache_t *kmem_cache_create(const char *name, size_t size, size_t align, int (*ctor)(void *, void *, int),
    void (*dtor)(void *, void *), void (*reclaim)(void *), void *arg, vmem_t *arena, int flags);
void kmem_cache_destroy(kmem_cache_t *c);
/** Contents arbitrary (DEBUG: a pattern). May enter the HAT to map a new slab. */
void *kmem_cache_alloc(kmem_cache_t *c, int kmflag);
void kmem_cache_free(kmem_cache_t *c, void *obj);
/** Objects handed out and not yet returned. */
size_t kmem_cache_inuse(const kmem_cache_t *c);

void *kmem_alloc(size_t size, int kmflag);
void *kmem_zalloc(size_t size, int kmflag);
void kmem_free(void *p, size_t size);

/** Ask all caches, in the background, to give memory back: their reclaim callbacks, then empty slabs. Returns at once. */
void kmem_reap(void);
/** The same, here and now (tests, and the reaping thread). No lock held. */
void kmem_reap_sync(void);

/** Print a table of all caches. */
void kmem_show(void);

void kmem_init(void);		/**< needs boot_alloc() only; before the HAT runs, slabs come from it */
void kmem_thread_init(void);	/**< starts the reaping thread */

#endif
