/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Arenas of integers, in practice of kernel virtual addresses.
 */
#ifndef SYS_VMEM_H
#define SYS_VMEM_H

#include <sys/types.h>

#define VM_SLEEP   0x0 /**< wait until there is space (kmem_reap(), a tick, again) */
#define VM_NOSLEEP 0x1 /**< NULL rather than wait */

typedef struct vmem vmem_t;

/**
 * Make an arena. Addresses it hands out are multiples of the quantum, and never 0.
 *
 * @param name   cut to 19 characters; copied
 * @param base    of the initial span
 * @param size    of it; 0: there is none
 * @param quantum unit of allocation, a power of two
 * @param afunc   imports a span from `source`; NULL: no import. It may give memory that is not the source's (boot
 *                memory); that is never returned
 * @param ffunc   returns one to `source`; NULL: none is returned
 * @param source  their first argument
 * @param vmflag  may it sleep for the arena's own memory
 */
vmem_t *vmem_create(const char *name, uintptr_t base, size_t size, size_t quantum, void *(*afunc)(vmem_t *, size_t, int),
    void (*ffunc)(vmem_t *, void *, size_t), vmem_t *source, int vmflag);
/** Take `size` bytes, rounded up to the quantum. @return NULL only with VM_NOSLEEP. @locks the arena's own, dropped while importing */
void *vmem_alloc(vmem_t *v, size_t size, int vmflag);
/** Aligned allocation; align is a power of two >= quantum. */
void *vmem_xalloc(vmem_t *v, size_t size, size_t align, int vmflag);
/** Give all of an allocation back. Panics when that is not what was allocated. */
void vmem_free(vmem_t *v, void *addr, size_t size);
size_t vmem_inuse(const vmem_t *v); /**< bytes handed out */
/** An arena that nobody uses any more, with nothing handed out (panics otherwise). Spans without import stay their owner's. */
void vmem_destroy(vmem_t *v);
/** Is the running thread refilling the segment pool (spec 8.2)? Then only HAT reserves may be used. */
bool vmem_is_populator(void);

/** Make the three arenas below. Needs no memory. */
void vmem_init(void);

extern vmem_t *heap_arena;        /**< kernel VA, nothing mapped: [HEAP_BASE, HEAP_END) */
extern vmem_t *kmem_va_arena;     /**< VA with memory behind it: imports from heap_arena through segkmem_alloc() */
extern vmem_t *hat_memload_arena; /**< the same for the HAT's own objects: its imports allocate no HAT object beyond the reserve */

/*
 * Provided by vm/segkmem.c: pages behind kernel VA. Before khat_running they come from boot_alloc() (VA given by it).
 */
void *segkmem_alloc(vmem_t *source, size_t size, int vmflag);
void segkmem_free(vmem_t *source, void *addr, size_t size);

#endif
