/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the virtual-memory system may ask of the HAT (spec section 9). Addresses are page aligned unless said.
 */
#ifndef VM_HAT_H
#define VM_HAT_H

#include <sys/types.h>

typedef struct hat hat_t;
struct page;
struct as;

#define HTABLE_WALK_TO_END	UINTPTR_MAX	/**< "no upper limit" */
#define DEMAP_ALL_ADDR		UINTPTR_MAX	/**< "the whole TLB" */

/** @name Attributes: protection bits and others @{ */
#define PROT_READ	0x1
#define PROT_WRITE	0x2
#define PROT_EXEC	0x4
#define PROT_USER	0x8
#define HAT_PROT_MASK	0x0f
#define HAT_NOFAULT	0x10
#define HAT_NOSYNC	0x20
#define HAT_STRICTORDER		0x000
#define HAT_UNORDERED_OK	0x100
#define HAT_MERGING_OK		0x200
#define HAT_LOADCACHING_OK	0x300
#define HAT_STORECACHING_OK	0x400
#define HAT_ORDER_MASK		0x700
#define HAT_PLAT_NOCACHE	0x100000
/** @} */

/** @name Load flags @{ */
#define HAT_LOAD		0x000
#define HAT_LOAD_LOCK		0x001
#define HAT_LOAD_ADV		0x004
#define HAT_LOAD_CONTIG		0x010
#define HAT_LOAD_NOCONSIST	0x020
#define HAT_LOAD_SHARE		0x040
#define HAT_LOAD_REMAP		0x080
#define HAT_RELOAD_SHARE	0x100
#define HAT_NO_KALLOC		0x200
#define HAT_LOAD_TEXT		0x400
/** @} */

/** @name Unload flags @{ */
#define HAT_UNLOAD		0x00
#define HAT_UNLOAD_NOSYNC	0x02
#define HAT_UNLOAD_UNLOCK	0x04
#define HAT_UNLOAD_OTHER	0x08
#define HAT_UNLOAD_UNMAP	0x10
/** @} */

/** A new, empty address space that shows the kernel. Sleeps for memory. The caller owns `as` for writing. */
hat_t *hat_alloc(struct as *as);
/** No stealing and no TLB work from here on; waits for a stealer that is looking. */
void hat_free_start(hat_t *hat);
/** Give everything back. No CPU runs it. */
void hat_free_end(hat_t *hat);

/** Map one 4 KiB page, write-back. Panics on a large page in the way. */
void hat_memload(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags);
/** Map `len` bytes of frames that may have no page_t; large pages where VA, PA and length allow, up to `mmu.max_page_level`. */
void hat_devload(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags);
/** Remove all mappings in [va, va + len). Panics when that would cut a large page. */
void hat_unload(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/** The frame that va maps to, PFN_INVALID when none (in the hole, not mapped, before the HAT runs). */
pfn_t hat_getpfnum(hat_t *hat, uintptr_t va);

/** Run a hat on this CPU, for this thread: hat_setup(NULL) goes back to the kernel's. */
void hat_setup(hat_t *hat);

/** kpm, amd64: where a frame stands in the linear map. */
void *hat_kpm_pfn2va(pfn_t pfn);
pfn_t hat_kpm_va2pfn(const void *va);

/** Print every table of every hat for the host (docs/protocol.md). Quiescent, or in a panic. @lab{5} */
void hat_dump(void);

extern hat_t *kas_hat;		/**< the kernel's; spec: kas.a_hat */
extern uintptr_t kernelbase;	/**< first address of the kernel */
extern uintptr_t userlimit;	/**< user mappings end here; <= kernelbase */

#endif
