/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Reading and changing entries of page tables: the contracts of lab 1.
 *
 * The MMU itself sets accessed and dirty bits at any moment, so every change of an entry that may be valid is a
 * full-width compare-and-swap, repeated until it wins (spec 5.4). All stores to page tables are in pte_store.c, pte_cas.c,
 * x86pte_copy.c and x86pte_zero.c.
 */
#ifndef HAT_X86PTE_H
#define HAT_X86PTE_H

#include <hat/htable.h>

#define LPAGE_ERROR (~(x86pte_t)0) /**< x86pte_set(): a link is in the way of a large page */
/** In the slot of a table that is cut off (htable_cut.c): not valid, but neither empty. In the first byte of an entry of any size. */
#define PTE_CUT PT_WRITABLE

/**
 * Load one entry, whole: never half of an old and half of a new one, on a CPU that loads 4 bytes at a time.
 * @param p  the entry, mmu.pte_size bytes, in memory that may be written
 * @lab{1}
 */
x86pte_t pte_load(volatile void *p);
/** Exchange an entry if it is `old`, full width, a full barrier. @return what was found. @lab{1} */
x86pte_t pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
/**
 * Store an entry that nobody else writes (window PTEs, private slots, boot). A present entry with half an address must
 * never be visible to a speculative walk, so on i386 the halves go in an order (C-18).
 */
void pte_store(volatile void *p, x86pte_t value);

/**
 * Point the one boot window at a frame and flush its address on this CPU.
 * @param pa  of the frame; @param writable  may it be written
 * @return    the window's address, plus the offset of pa in its page. Valid until the next call
 * @lab{1}
 */
void *kbm_remap_window(paddr_t pa, bool writable);

/**
 * Make the entry `index` of the table in a frame addressable (spec 1.10): boot window, kpm, or this CPU's page window.
 * @return  pointer to the entry. With the window: preemption off and hci_mutex held until x86pte_mapout()
 * @locks   No other table may be mapped in on this CPU.
 * @inv{P4}
 * @lab{1}
 */
void *x86pte_mapin(pfn_t pfn, uint_t index, htable_t *ht);
/** Undo x86pte_mapin() on the same CPU. The window keeps its frame, so that the next use of it costs no flush. @lab{1} */
void x86pte_mapout(void);
/** The same for an htable: entries of a VLP table are in the hat and need no mapping. @lab{1} */
void *x86pte_access_pagetable(htable_t *ht, uint_t index);
/** Undo x86pte_access_pagetable() on the same CPU. @lab{1} */
void x86pte_release_pagetable(htable_t *ht);

/** Current value of an entry. @param entry below mmu.ptes_per_table: asserted @lab{1} */
x86pte_t x86pte_get(htable_t *ht, uint_t entry);

/**
 * Install a leaf, whatever was there, keeping accessed and dirty when the frame stays the same.
 *
 * TLB: already there: this CPU's translation of the address only; replaced one had PT_REF: hat_tlb_inval(); else nothing.
 * @param new  not 0; the table neither shared nor VLP: asserted
 * @param ptr  NULL, or the entry's address if the caller has it mapped
 * @return     what was replaced (not valid: a new mapping was made); `new` when it was there already; LPAGE_ERROR when a
 *             link, or PTE_CUT, is in the way above level 0, nothing changed
 * @locks      The caller holds the table. No counts, no mapping list: those are the caller's.
 * @lab{1}
 */
x86pte_t x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr);

/** One compare-and-swap on an entry; no TLB work, no counts. For links. @return what was found @lab{1} */
x86pte_t x86pte_cas(htable_t *ht, uint_t entry, x86pte_t old, x86pte_t new);

/**
 * Clear a leaf if it still maps the frame of `expect` (0: whatever is there).
 * TLB: hat_tlb_inval() of its address if what was removed had PT_REF or PT_MOD; not for a table with HTABLE_CUT.
 * @return  the final value, accessed and dirty as of the instant of clearing; another frame: nothing was changed
 * @lab{1}
 */
x86pte_t x86pte_inval(htable_t *ht, uint_t entry, x86pte_t expect, void *ptr);

/**
 * Exchange a leaf's attributes if it is still `expect`; always flushes then.
 * @param new  not 0
 * @return     `expect`: done. Anything else: not done, read again - also when a write through a stale translation was
 *             lost and has been given its permission back (pte_lost_write())
 * @lab{1}
 */
x86pte_t x86pte_update(htable_t *ht, uint_t entry, x86pte_t expect, x86pte_t new);
/**
 * After write permission went away and the flush is done: did a CPU write meanwhile through its old translation? Then give
 * the permission back and return the entry as it is now (it has PT_MOD); else return `expect` (spec 7.12, D7).
 * @param p  the entry, mapped in
 * @lab{9}
 */
x86pte_t pte_lost_write(volatile void *p, x86pte_t expect, x86pte_t new);

/**
 * @name Runs of entries (pte_run.c): no counts, no flush; those are the caller's, once for all
 * @{
 */
/** Clear all leaves with PT_NOCONSIST or more among n entries. @param seen all bits that they had are added @return how many */
uint_t pte_sweep(void *p, uint_t n, x86pte_t *seen);
/**
 * Install small leaves in n empty entries, for adjacent frames from that of `pte` on. Nothing valid was there, so nothing has to be flushed.
 * @return how many were: less than n if an entry was not empty
 */
uint_t pte_fill(void *p, uint_t n, x86pte_t pte);
/** Clear an entry if it maps the frame of `expect`: x86pte_inval() without its flush. @return what was found */
x86pte_t pte_take(volatile void *p, x86pte_t expect);
/** @} */

/** Copy `count` entries from `entry` on to the same places of a table that no CPU uses yet. Not atomic, no counts. @lab{1} */
void x86pte_copy(htable_t *src, htable_t *dest, uint_t entry, uint_t count);
/** Clear entries of a private table, never of a linked one. @lab{1} */
void x86pte_zero(htable_t *dest, uint_t entry, uint_t count);

/** Allocate one CPU's hat_cpu_info. */
void x86pte_cpu_init(struct cpu *cp);
/** Free it. */
void x86pte_cpu_fini(struct cpu *cp);

#endif
