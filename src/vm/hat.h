/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the virtual-memory system may ask of the HAT (spec section 9). Addresses are page aligned unless said.
 *
 * "None held", of locks: none of the HAT's own, from mapping lists on down (the site's page on lock order). Page locks and the address
 * space's own may be held. What a function then takes, it takes one after another and has given back when it returns.
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

/**
 * A new, empty address space that shows the kernel. Sleeps for memory. The first call lets page tables be stolen.
 * @param as  whose; owned for writing
 * @return    on the list of hats, with its top table, which it holds for ever
 * @locks     none held; takes table locks, hat_list_lock
 * @inv{S6} @inv{S12} @inv{L5} @inv{N3}
 */
hat_t *hat_alloc(struct as *as);
/**
 * No stealing and no TLB work from here on; waits for a stealer that is looking. So no CPU may run it when its tables change.
 * @param hat  a user's; `as` owned for writing
 * @locks      none held; takes hat_list_lock, sleeps on hat_list_cv
 * @inv{S13} @inv{D6}
 */
void hat_free_start(hat_t *hat);
/**
 * Give everything back. First waits for those who unmap a page everywhere and still hold a table of it.
 * @param hat  after hat_free_start(), run by no CPU: misuse otherwise. Gone on return
 * @locks      none held; takes hat_list_lock, then those of htable_purge_hat()
 * @inv{S12} @inv{S14} @inv{D6}
 */
void hat_free_end(hat_t *hat);

/**
 * @name No work on this machine
 * @{
 */
/**
 * Copy mappings to a child: faults will.
 * @param from,to,va,len,flags  not looked at
 * @return                      0
 * @locks                       none
 */
int hat_dup(hat_t *from, hat_t *to, uintptr_t va, size_t len, uint_t flags);
/**
 * Make ready to run again after hat_swapout(): faults will.
 * @param hat  not looked at
 * @locks      none
 */
void hat_swapin(hat_t *hat);
/**
 * Hear of a new segment.
 * @param hat,va,len,flags  not looked at
 * @locks                   none
 */
void hat_map(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/**
 * Set tables aside for a range.
 * @param as,va,len  not looked at
 * @locks            none
 */
void hat_reserve(struct as *as, uintptr_t va, size_t len);
/**
 * Lock what is mapped, without asking the segment.
 * @param hat,va,lenp,pps,flags  not looked at
 * @return                       -1: not supported
 * @locks                        none
 */
int hat_softlock(hat_t *hat, uintptr_t va, size_t *lenp, struct page **pps, uint_t flags);
/** @} */
/**
 * Unload everything that is not locked or seen through a shared table, and free the cached tables that are left over.
 * @param hat  a user's, not FREEING: asserted
 * @locks      none held; takes table locks, mapping lists, the window
 * @inv{N1} @inv{N6} @inv{N9}
 */
void hat_swapout(hat_t *hat);
/**
 * Is there such a thing here?
 * @param feature  one of the enumeration
 * @return         yes: shared tables, sorted dirty pages
 * @panics         it does not know it (facts: feature)
 * @locks          none
 */
bool hat_supported(enum hat_feature feature);
/**
 * Where kernelbase may be: 4 MiB boundaries on i386, entries of the top table on amd64.
 * @param va  any address
 * @return    rounded down to such a boundary
 * @panics    in the hole (facts: address)
 * @locks     none
 */
uintptr_t hat_kernelbase(uintptr_t va);
/**
 * Take hat_mutex, which guards the cached tables.
 * @param hat  whose
 * @locks      takes hat_mutex; none of its rank (hat_list_lock, the reserves') is held
 * @inv{S4}
 */
void hat_enter(hat_t *hat);
/**
 * Give it back.
 * @param hat  whose
 * @locks      hat_mutex held on entry, not on return
 * @inv{S4}
 */
void hat_exit(hat_t *hat);

/**
 * Map one 4 KiB page, write-back. What is there already may differ in permissions and caching only, or, with HAT_LOAD_REMAP
 * and both unrecorded, in its frame.
 * @param hat,va  where
 * @param pp      locked by the caller
 * @param attr    PROT_*, HAT_NOSYNC
 * @param flags   HAT_LOAD_*; LOCK counts one more lock in the table, in user hats only
 * @panics        another mapping is there (facts: both entries), or a large page (facts: slot, table above, entry)
 * @locks         none held; takes table locks, the page's mapping list, the window; flushes under the last two
 * @inv{S9} @inv{E4} @inv{N1} @inv{N9}
 */
void hat_memload(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags);
/**
 * Map pages, write-back, at each step with the largest page that VA, PA, length, size code and adjacency allow; one
 * level lower where a table of smaller pages is in the way.
 * @param hat,va      where
 * @param len         bytes, whole pages
 * @param pps         a page for every 4 KiB, locked by the caller
 * @param attr,flags  as for hat_memload()
 * @panics            as hat_memload()
 * @locks             as hat_memload()
 * @inv{S9} @inv{E4} @inv{N1} @inv{N9} @inv{L7} @inv{L8}
 */
void hat_memload_array(hat_t *hat, uintptr_t va, size_t len, struct page **pps, uint_t attr, uint_t flags);
/**
 * Map frames that may have no page_t (those are not recorded); large pages where VA, PA and length allow, up to
 * mmu.max_page_level, and, where a mapping is recorded, the size code too: or the page could not be unloaded everywhere.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @param pfn     the first frame
 * @param attr    PROT_*, HAT_NOSYNC, caching; memory is write-back unless HAT_PLAT_NOCACHE
 * @param flags   HAT_LOAD_*
 * @panics        a page is free, or is a user's that nobody has locked: it could go away (facts: frame, address); attributes without
 *                a caching order (facts: attributes); and as hat_memload()
 * @locks         as hat_memload()
 * @inv{S9} @inv{E4} @inv{F7} @inv{N1} @inv{N9} @inv{L7} @inv{L8}
 */
void hat_devload(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags);
/**
 * Take back one HAT_LOAD_LOCK from each mapping in the range. The kernel's hat counts none.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @locks         none held; takes table locks, the window
 * @inv{N6}
 */
void hat_unlock(hat_t *hat, uintptr_t va, size_t len);

/**
 * Remove all mappings of a range, and flush them before it returns. Shared tables are hat_unshare()'s.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @param flags   HAT_UNLOAD_*: UNLOCK takes back a lock for each mapping, NOSYNC drops its accessed and dirty bits
 * @panics        that would cut a large page (facts: range, page)
 * @locks         none held; takes table locks, mapping lists, the window; flushes under the last two
 * @inv{N1} @inv{N9} @inv{E4} @inv{P5} @inv{D1}
 */
void hat_unload(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/**
 * The same, telling of each range of adjacent pages of one size after it is unmapped and flushed, at most 8 ranges later.
 * @param hat,va,len,flags  as for hat_unload()
 * @param cb                called with no lock held; NULL: nobody
 * @panics                  as hat_unload()
 * @locks                   as hat_unload()
 * @inv{N1} @inv{N9} @inv{E4} @inv{P5} @inv{D1}
 */
void hat_unload_callback(hat_t *hat, uintptr_t va, size_t len, uint_t flags, hat_callback_t *cb);

/**
 * Move accessed and dirty bits of recorded leaves to the pages.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @param flags   HAT_SYNC_ZERORM: clear them in the entries, and flush those
 * @locks         as hat_unload()
 * @inv{E3} @inv{E4}
 */
void hat_sync(hat_t *hat, uintptr_t va, size_t len, uint_t flags);
/**
 * Protection and HAT_NOSYNC of a mapping.
 * @param hat,va  any address
 * @param attrp   where they go: PROT_*, HAT_NOSYNC
 * @return        0; -1: nothing is mapped there, and *attrp untouched
 * @locks         none held; takes table locks, the window
 * @inv{L7}
 */
int hat_getattr(hat_t *hat, uintptr_t va, uint_t *attrp);
/**
 * @name Change PROT_WRITE, PROT_EXEC, HAT_NOSYNC of all recorded mappings
 * @{
 */
/**
 * Add what is named.
 *
 * A leaf that loses what it needs to keep accessed and dirty hands them to the page. No write is lost, even one through a stale
 * translation.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @param attr    PROT_*, HAT_NOSYNC
 * @panics        that would change a part of a large page (facts: function, range, page)
 * @locks         as hat_unload()
 * @inv{E3} @inv{E4} @inv{D7}
 */
void hat_setattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
/** Take away what is named. @copydetails hat_setattr */
void hat_clrattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
/** Make them equal to it. @copydetails hat_setattr */
void hat_chgattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr);
/**
 * Make the protection equal to it, and leave HAT_NOSYNC as it is.
 * @param hat,va  where
 * @param len     bytes, whole pages
 * @param prot    PROT_*
 * @panics        as hat_setattr()
 * @locks         as hat_unload()
 * @inv{E3} @inv{E4} @inv{D7}
 */
void hat_chgprot(hat_t *hat, uintptr_t va, size_t len, uint_t prot);
/** @} */

/**
 * The frame that an address maps to.
 * @param hat,va  any address
 * @return        a 4 KiB frame, inside a large page too; PFN_INVALID: none (in the hole, not mapped, before the HAT runs)
 * @locks         none held; takes table locks, the window
 * @inv{L7}
 */
pfn_t hat_getpfnum(hat_t *hat, uintptr_t va);
/**
 * The size of the page that is mapped at an address.
 * @param hat,va  any address
 * @return        bytes; -1: none
 * @locks         none held; takes table locks, the window
 * @inv{L7}
 */
long hat_getpagesize(hat_t *hat, uintptr_t va);
/**
 * Is anything mapped at an address?
 * @param hat,va  any address
 * @return        1; 0: no
 * @locks         none held; takes table locks, the window
 * @inv{L7}
 */
int hat_probe(hat_t *hat, uintptr_t va);
/**
 * How much an address space maps.
 * @param hat  whose
 * @return     bytes, through shared tables too; a moment's truth
 * @locks      none
 * @inv{N9} @inv{N10}
 */
size_t hat_get_mapped_size(hat_t *hat);

/**
 * @name All mappings of one page
 * @{
 */
/**
 * Remove them, of every size that contains the page; on return no CPU can use one. Accessed and dirty bits go to the page.
 * @param pp     exclusive-locked: misuse otherwise
 * @param force  not looked at
 * @return       0; 1: it is not locked so
 * @locks        none held; takes the mapping lists of the page and of its groups' first pages, table locks, the window
 * @inv{E4} @inv{E5} @inv{E7} @inv{F7} @inv{N1} @inv{N9} @inv{P5}
 */
int hat_pageunload(struct page *pp, uint_t force);
/**
 * Collect accessed and dirty bits of recorded leaves in the page.
 * @param pp     any page
 * @param flags  HAT_SYNC_*: clear them in the leaves (ZERORM), or stop when enough is known (STOPON_*)
 * @return       P_REF, P_MOD of it
 * @locks        none held; takes mapping lists, one at a time, the window; flushes under both
 * @inv{E3} @inv{E4}
 */
uint_t hat_pagesync(struct page *pp, uint_t flags);
/**
 * Remove every large mapping that contains the page, and make its group one of smaller ones.
 * @param pp  exclusive-locked: misuse otherwise
 * @locks     as hat_pageunload()
 * @inv{E4} @inv{E5} @inv{N1} @inv{N9}
 */
void hat_page_demote(struct page *pp);
/**
 * Set bits of a page.
 * @param pp    any page
 * @param bits  P_*
 * @locks       none: atomic
 */
void hat_page_setattr(struct page *pp, uint_t bits);
/**
 * Clear bits of a page. Clearing P_MOD of a PAGE_SORTED page also write-protects all its mappings.
 * @param pp    any page
 * @param bits  P_*
 * @locks       none held; takes, for the latter, mapping lists, one at a time, and the window; flushes under both
 * @inv{E3} @inv{E4} @inv{D7}
 */
void hat_page_clrattr(struct page *pp, uint_t bits);
/**
 * Which of these bits does a page have?
 * @param pp    any page
 * @param bits  P_*
 * @return      those of them that it has
 * @locks       none
 */
uint_t hat_page_getattr(struct page *pp, uint_t bits);
/**
 * How often is a page mapped, by leaves of all sizes?
 * @param pp  any page
 * @return    the number of recorded leaves
 * @locks     none held; takes mapping lists, one at a time
 * @inv{E4} @inv{E6}
 */
uint_t hat_page_getshare(struct page *pp);
/**
 * Is it mapped more often than that?
 * @param pp  any page
 * @param n   mappings
 * @return    yes
 * @locks     none held; takes mapping lists, one at a time
 * @inv{E4} @inv{E6}
 */
bool hat_page_checkshare(struct page *pp, uint_t n);
/** @} */

/**
 * Show a range of src, whose mappings were loaded with HAT_LOAD_SHARE, in another address space: by src's own tables where they fit
 * whole, page by page (locked, unrecorded; in pageable segments recorded) otherwise, also where hat has a table of its own.
 * @param hat,va      where: not the kernel's hat, nor src
 * @param src,src_va  what
 * @param len         bytes, whole pages
 * @param szc         largest page size in it; not needed here
 * @return            0
 * @panics            a shared table is there that shows another source (facts: table, both sources)
 * @locks             none held; takes table locks, one at a time, the window, and for single pages what hat_memload() takes
 * @inv{S11} @inv{N2} @inv{N10} @inv{D9}
 * @lab{8}
 */
int hat_share(hat_t *hat, uintptr_t va, hat_t *src, uintptr_t src_va, size_t len, uint_t szc);
/**
 * Undo it, with one flush for all tables.
 * @param hat,va  where
 * @param len     bytes, whole pages; shared tables lie in it whole: misuse otherwise
 * @param szc     not needed here
 * @locks         none held; takes what hat_unload() takes
 * @inv{S11} @inv{N2} @inv{N10} @inv{D9}
 * @lab{8}
 */
void hat_unshare(hat_t *hat, uintptr_t va, size_t len, uint_t szc);
/**
 * Asked by both: is this a segment whose pages come and go (then large tables are not shared)?
 * @param as,va  where
 * @return       yes; what stands in for it when there are no segments: no
 * @locks        none of the HAT's is held
 */
bool as_pageable(struct as *as, uintptr_t va);

/**
 * @name CPU-private slots: a kernel page whose entry is stored to without locks
 * @{
 */
/**
 * Reserve the slot of a kernel address. It counts as a valid entry of its table, whatever is in it: so the table stays.
 * @param va  from kernelbase on: misuse otherwise
 * @return    physical address of its entry; 0: misuse
 * @panics    it is in use (facts: address, entry); all HAT_NMEMPTE are (facts: address, their number)
 * @locks     none held; takes table locks, the slots' own
 * @inv{N1}
 */
paddr_t hat_mempte_setup(uintptr_t va);
/**
 * Point it at a frame, for this CPU, whose translation alone is flushed.
 * @param pfn         the frame
 * @param va,pte_pa   of hat_mempte_setup()
 * @param attr,flags  as for hat_devload()
 * @pre               preemption is off: asserted
 * @locks             takes the window
 */
void hat_mempte_remap(pfn_t pfn, uintptr_t va, paddr_t pte_pa, uint_t attr, uint_t flags);
/**
 * Clear it and give it back.
 * @param va,pte_pa  of hat_mempte_setup()
 * @panics           it has no table (facts: address), or is not reserved (facts: address, how many can be)
 * @locks            none held; takes table locks, the slots' own, the window
 * @inv{N1}
 */
void hat_mempte_release(uintptr_t va, paddr_t pte_pa);
/** @} */

/**
 * Run a hat on this CPU, for this thread, from now on.
 * @param hat  NULL: back to the kernel's
 * @locks      none; preemption is off meanwhile
 * @inv{P1} @inv{P2}
 */
void hat_setup(hat_t *hat);
struct kthread;
/**
 * The running thread leaves its address space for good.
 * @param t  itself: asserted
 * @locks    none
 * @inv{P1} @inv{P2}
 */
void hat_thread_exit(struct kthread *t);

/**
 * @name kpm: the linear map of all memory, amd64. But for hat_kpm_mapin() and hat_kpm_walk(), for kernels that have one
 * @{
 */
/**
 * Where a frame stands in it.
 * @param pfn  of memory: nothing else is there
 * @return     address of its first byte
 * @locks      none
 */
void *hat_kpm_pfn2va(pfn_t pfn);
/**
 * The frame at an address in it.
 * @param va  in the map, any byte: asserted, but for its end
 * @return    the frame
 * @locks     none
 */
pfn_t hat_kpm_va2pfn(const void *va);
/**
 * Address of a page, whose contents are wanted.
 * @param pp  kept by the caller
 * @return    of its first byte; NULL when there is no linear map
 * @locks     none
 */
void *hat_kpm_mapin(struct page *pp);
/**
 * They are wanted no longer: nothing to do.
 * @param pp,va  as of hat_kpm_mapin(): asserted
 * @locks        none
 */
void hat_kpm_mapout(struct page *pp, void *va);
/**
 * Address of a page.
 * @param pp  any page
 * @return    of its first byte
 * @locks     none
 */
void *hat_kpm_page2va(struct page *pp);
/**
 * The page at an address.
 * @param va  as for hat_kpm_va2pfn()
 * @return    NULL: its frame has no page
 * @locks     none
 */
struct page *hat_kpm_vaddr2page(const void *va);
/**
 * Call a function for each run of memory in the map; for none when there is no map.
 * @param func  called with arg, first address, bytes
 * @param arg   the caller's
 * @locks       none
 */
void hat_kpm_walk(void (*func)(void *arg, void *va, size_t len), void *arg);
/**
 * A page fault in the linear map: all memory is there.
 * @param va  where
 * @panics    always (facts: address)
 * @locks     any may be held
 */
void hat_kpm_fault(uintptr_t va) NORETURN;
/** @} */

/**
 * Print every table of every hat for the host (docs/protocol.md).
 * @pre    quiescent, or in a panic
 * @locks  as dump_hat_begin(); chains are read without their locks
 * @inv{S2} @inv{S12}
 * @lab{5}
 */
void hat_dump(void);

extern hat_t *kas_hat;       /**< the kernel's; spec: kas.a_hat */
extern uintptr_t kernelbase; /**< first address of the kernel */
extern uintptr_t userlimit;  /**< user mappings end here; <= kernelbase */

#endif
