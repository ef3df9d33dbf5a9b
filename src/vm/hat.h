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

#define HTABLE_WALK_TO_END UINTPTR_MAX /**< "no upper limit" */
#define DEMAP_ALL_ADDR     UINTPTR_MAX /**< "the whole TLB" */

/**
 * @name Attributes: protection bits and others
 * @{
 */
#define PROT_READ           0x1
#define PROT_WRITE          0x2
#define PROT_EXEC           0x4
#define PROT_USER           0x8
#define HAT_PROT_MASK       0x0f
#define HAT_NOFAULT         0x10
#define HAT_NOSYNC          0x20
#define HAT_STRICTORDER     0x000
#define HAT_UNORDERED_OK    0x100
#define HAT_MERGING_OK      0x200
#define HAT_LOADCACHING_OK  0x300
#define HAT_STORECACHING_OK 0x400
#define HAT_ORDER_MASK      0x700
#define HAT_PLAT_NOCACHE    0x100000
/** @} */

/**
 * @name Load flags
 * @{
 */
#define HAT_LOAD           0x000
#define HAT_LOAD_LOCK      0x001
#define HAT_LOAD_ADV       0x004
#define HAT_LOAD_CONTIG    0x010
#define HAT_LOAD_NOCONSIST 0x020
#define HAT_LOAD_SHARE     0x040
#define HAT_LOAD_REMAP     0x080
#define HAT_RELOAD_SHARE   0x100
#define HAT_NO_KALLOC      0x200
#define HAT_LOAD_TEXT      0x400
/** @} */

/**
 * @name Unload flags
 * @{
 */
#define HAT_UNLOAD        0x00
#define HAT_UNLOAD_NOSYNC 0x02
#define HAT_UNLOAD_UNLOCK 0x04
#define HAT_UNLOAD_OTHER  0x08
#define HAT_UNLOAD_UNMAP  0x10
/** @} */

/**
 * @name Sync flags
 * @{
 */
#define HAT_SYNC_DONTZERO      0x00
#define HAT_SYNC_ZERORM        0x01 /**< clear accessed and dirty in the entries */
#define HAT_SYNC_STOPON_REF    0x02 /**< the page is known to be accessed: enough */
#define HAT_SYNC_STOPON_MOD    0x04
#define HAT_SYNC_STOPON_SHARED 0x08 /**< mapped more often than HAT_SHARED_MANY: count it as accessed and look no further */
#define HAT_SHARED_MANY        8
/** @} */

/**
 * @name hat_pageunload()
 * @{
 */
#define HAT_ADV_PGUNLOAD   0
#define HAT_FORCE_PGUNLOAD 1
/** @} */

/** What hat_supported() may be asked. */
enum hat_feature { HAT_SHARED_TABLES, HAT_DYNAMIC_ISM_UNMAP, HAT_SORTED_DIRTY, HAT_SHARED_REGIONS };

/** Who is told what hat_unload_callback() has unmapped: [hcb_start, hcb_end) at each call. */
typedef struct hat_callback {
	void (*hcb_func)(struct hat_callback *);
	uintptr_t hcb_start;
	uintptr_t hcb_end;
	void *hcb_arg; /**< the caller's */
} hat_callback_t;

/*
 * Misuse (addresses not page aligned, ranges that reach across userlimit, into the hole or into a kernel's user half, unlocking
 * what is not locked) is an assertion in DEBUG kernels; otherwise the call, or the part of it that is wrong, does nothing.
 * Loading needs the pages locked by the caller, so that nobody unloads them everywhere meanwhile.
 */

/** A new, empty address space that shows the kernel. Sleeps for memory. The caller owns `as` for writing. */
hat_t *hat_alloc(struct as *as);
/** No stealing and no TLB work from here on; waits for a stealer that is looking. */
void hat_free_start(hat_t *hat);
/** Give everything back. No CPU runs it. */
void hat_free_end(hat_t *hat);

/**
 * @name No work on this machine
 * @{
 */
int hat_dup(hat_t *from, hat_t *to, uintptr_t va, size_t len, uint_t flags);
void hat_swapin(hat_t *hat);
void hat_map(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
void hat_reserve(struct as *as, uintptr_t va, size_t len);
int hat_softlock(hat_t *hat, uintptr_t va, size_t *lenp, struct page **pps, uint_t flags); /**< -1: not supported */
/** @} */
/** Unload everything that is not locked, and free the tables that are left over. */
void hat_swapout(hat_t *hat);
bool hat_supported(enum hat_feature feature); /**< panics when it does not know it (facts: feature) */
/** An address rounded down to where kernelbase may be. Panics in the hole (facts: address). */
uintptr_t hat_kernelbase(uintptr_t va);
void hat_enter(hat_t *hat); /**< hat_mutex */
void hat_exit(hat_t *hat);

/**
 * Map one 4 KiB page, write-back. What is there already may differ in permissions and caching only, or, with HAT_LOAD_REMAP
 * and both unrecorded, in its frame; panics otherwise (facts: both entries), and on a table of smaller pages in the way.
 */
void hat_memload(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags);
/**
 * Map len bytes of pages, write-back, at each step with the largest page that VA, PA, length, size code and adjacency allow; one
 * level lower where a table of smaller pages is in the way.
 */
void hat_memload_array(hat_t *hat, uintptr_t va, size_t len, struct page **pps, uint_t attr, uint_t flags);
/**
 * Map len bytes of frames that may have no page_t (those are not recorded); large pages where VA, PA and length allow, up to
 * mmu.max_page_level, and, where a mapping is recorded, the size code too: or the page could not be unloaded everywhere.
 * Memory is write-back unless HAT_PLAT_NOCACHE. Panics on a free page, and on one of a user that nobody has locked
 * (facts: frame, address): it could go away.
 */
void hat_devload(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags);
/** Take back one HAT_LOAD_LOCK from each mapping in the range. */
void hat_unlock(hat_t *hat, uintptr_t va, size_t len);

/** Remove all mappings in [va, va + len). Panics when that would cut a large page (facts: range, page). */
void hat_unload(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/** The same, telling `cb` (NULL: nobody) each range of adjacent pages of one size after it is unmapped, at most 8 ranges later. */
void hat_unload_callback(hat_t *hat, uintptr_t va, size_t len, uint_t flags, hat_callback_t *cb);

/** Move accessed and dirty bits to the pages; with HAT_SYNC_ZERORM they are cleared in the entries. */
void hat_sync(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/** Protection and HAT_NOSYNC of a mapping. @return 0; -1: nothing is mapped there */
int hat_getattr(hat_t *hat, uintptr_t va, uint_t *attrp);
/**
 * @name Change PROT_WRITE, PROT_EXEC, HAT_NOSYNC of all recorded mappings: add, remove, make equal; protection only
 * @{
 */
void hat_setattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
void hat_clrattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
void hat_chgattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
void hat_chgprot(hat_t *hat, uintptr_t va, size_t len, uint_t prot);
/** @} */

/** The frame that va maps to, PFN_INVALID when none (in the hole, not mapped, before the HAT runs). */
pfn_t hat_getpfnum(hat_t *hat, uintptr_t va);
long hat_getpagesize(hat_t *hat, uintptr_t va); /**< bytes of the page mapped at va; -1: none */
int hat_probe(hat_t *hat, uintptr_t va);        /**< 1: something is mapped there */
size_t hat_get_mapped_size(hat_t *hat);         /**< bytes mapped, through shared tables too */

/**
 * @name All mappings of one page
 * @{
 */
/** Remove them, of every size that contains the page. The page is exclusive-locked. @return 0; 1: it is not */
int hat_pageunload(struct page *pp, uint_t force);
/** Collect accessed and dirty in the page. @return P_REF, P_MOD of it. @param flags HAT_SYNC_* */
uint_t hat_pagesync(struct page *pp, uint_t flags);
/** Remove every large mapping that contains the page, and make its group one of smaller ones. Exclusive-locked. */
void hat_page_demote(struct page *pp);
void hat_page_setattr(struct page *pp, uint_t bits); /**< P_* */
/** Clearing P_MOD of a PAGE_SORTED page also write-protects all its mappings. */
void hat_page_clrattr(struct page *pp, uint_t bits);
uint_t hat_page_getattr(struct page *pp, uint_t bits);
uint_t hat_page_getshare(struct page *pp);           /**< how often it is mapped */
bool hat_page_checkshare(struct page *pp, uint_t n); /**< more than n times? */
/** @} */

/**
 * Show [src_va, src_va + len) of src, whose mappings were loaded with HAT_LOAD_SHARE, at va: by src's own tables where they fit
 * whole, page by page (locked, unrecorded; in pageable segments recorded) otherwise, also where hat has a table of its own.
 * @param szc  largest page size in it; not needed here
 * @return     0
 * @inv{S11} @inv{N2} @inv{N10}
 * @lab{8}
 */
int hat_share(hat_t *hat, uintptr_t va, hat_t *src, uintptr_t src_va, size_t len, uint_t szc);
/** Undo it, with one flush for all tables. @lab{8} */
void hat_unshare(hat_t *hat, uintptr_t va, size_t len, uint_t szc);
/** Asked by both: is this a segment whose pages come and go (then large tables are not shared)? Weak default: no. */
bool as_pageable(struct as *as, uintptr_t va);

/**
 * @name CPU-private slots: a kernel page whose entry is stored to without locks
 * @{
 */
/** Reserve the slot of a kernel address. @return physical address of its entry. Panics when it is in use (facts: address, entry) */
paddr_t hat_mempte_setup(uintptr_t va);
/** Point it at a frame, for this CPU. Preemption is off. */
void hat_mempte_remap(pfn_t pfn, uintptr_t va, paddr_t pte_pa, uint_t attr, uint_t flags);
void hat_mempte_release(uintptr_t va, paddr_t pte_pa);
/** @} */

/** Run a hat on this CPU, for this thread: hat_setup(NULL) goes back to the kernel's. */
void hat_setup(hat_t *hat);
struct kthread;
void hat_thread_exit(struct kthread *t); /**< the running thread leaves its address space for good */

/** kpm, amd64: where a frame stands in the linear map. */
void *hat_kpm_pfn2va(pfn_t pfn);
pfn_t hat_kpm_va2pfn(const void *va);
void *hat_kpm_mapin(struct page *pp); /**< NULL when there is no linear map */
void hat_kpm_mapout(struct page *pp, void *va);
void *hat_kpm_page2va(struct page *pp);
struct page *hat_kpm_vaddr2page(const void *va); /**< NULL: no page */
/** Call func for each run of memory in the linear map. */
void hat_kpm_walk(void (*func)(void *arg, void *va, size_t len), void *arg);
/** A page fault in the linear map: all memory is there, so it panics (facts: address). */
void hat_kpm_fault(uintptr_t va) NORETURN;

/** Print every table of every hat for the host (docs/protocol.md). Quiescent, or in a panic. @lab{5} */
void hat_dump(void);

extern hat_t *kas_hat;       /**< the kernel's; spec: kas.a_hat */
extern uintptr_t kernelbase; /**< first address of the kernel */
extern uintptr_t userlimit;  /**< user mappings end here; <= kernelbase */

#endif
