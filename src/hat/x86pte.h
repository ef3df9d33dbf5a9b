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
 * Load one entry, whole: never half of an old and half of a new one, on a CPU that loads 4 bytes at a time [SDM3 8.1.1].
 * @param p  the entry, mmu.pte_size bytes, in memory that may be written
 * @return   its value
 * @locks    none
 * @lab{1}
 */
x86pte_t pte_load(volatile void *p);
/**
 * Exchange an entry if it is what one thinks: full width, one locked instruction, a full barrier [SDM3 8.1.2, 8.2.5].
 * @param p    the entry
 * @param old  what it should be
 * @param new  what it shall be
 * @return     what was found; `old`: it has been exchanged
 * @locks      none
 * @lab{1}
 */
x86pte_t pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
/**
 * Store an entry that nobody else writes (window PTEs, private slots, boot). A present entry with half an address must
 * never be visible to a speculative walk, so on i386 the halves go in an order (C-18).
 * @param p      the entry
 * @param value  what it shall be
 * @locks        none: the caller's alone
 */
void pte_store(volatile void *p, x86pte_t value);

/**
 * Point the one boot window at a frame and flush its address on this CPU.
 * @param pa        any physical address
 * @param writable  may it be written
 * @return          the window's address, plus the offset of pa in its page. Valid until the next call
 * @locks           none: one CPU
 * @inv{F4}
 * @lab{1}
 */
void *kbm_remap_window(paddr_t pa, bool writable);

/**
 * Make the entry `index` of the table in a frame addressable (spec 1.10): boot window, kpm, or this CPU's page window.
 * @param pfn    frame of the table; not PFN_INVALID: asserted
 * @param index  below mmu.ptes_per_table
 * @param ht     not looked at; NULL will do
 * @return       pointer to the entry
 * @locks        with the window: takes it, preemption off and hci_mutex, until x86pte_mapout(); no other table may be mapped in on this CPU
 * @inv{P4}
 * @lab{1}
 */
void *x86pte_mapin(pfn_t pfn, uint_t index, htable_t *ht);
/**
 * Undo x86pte_mapin() on the same CPU. The window keeps its frame, so that the next use of it costs no flush.
 * @locks  gives the window back, if it was used
 * @inv{P4}
 * @lab{1}
 */
void x86pte_mapout(void);
/**
 * x86pte_mapin() for an htable: entries of a VLP table are in the hat and need no mapping.
 * @param ht     held, or private
 * @param index  below HTABLE_NUM_PTES(ht)
 * @return       pointer to the entry
 * @locks        as x86pte_mapin(); for a VLP table none
 * @inv{P4} @inv{F1}
 * @lab{1}
 */
void *x86pte_access_pagetable(htable_t *ht, uint_t index);
/**
 * Undo x86pte_access_pagetable() on the same CPU.
 * @param ht  the same table
 * @locks     as x86pte_mapout(); for a VLP table none
 * @inv{P4}
 * @lab{1}
 */
void x86pte_release_pagetable(htable_t *ht);

/**
 * Current value of an entry.
 * @param ht     held
 * @param entry  below mmu.ptes_per_table: asserted
 * @return       loaded whole; a moment's truth
 * @locks        takes the window
 * @inv{P4}
 * @lab{1}
 */
x86pte_t x86pte_get(htable_t *ht, uint_t entry);

/**
 * Install a leaf, whatever was there, keeping accessed and dirty when the frame stays the same.
 *
 * TLB: already there: this CPU's translation of the address only; replaced one had PT_REF: hat_tlb_inval(); else nothing, because
 * no CPU remembers what was never accessed [SDM3 4.10.2.3]. Counts and records are the caller's business.
 * @param ht,entry  the slot, of a held table, neither shared nor VLP: asserted
 * @param new       not 0: asserted
 * @param ptr       NULL, or the entry's address if the caller has it mapped
 * @return          what was replaced (not valid: a new mapping was made); `new` when it was there already; LPAGE_ERROR when a
 *                  link, or PTE_CUT, is in the way above level 0, nothing changed
 * @locks           takes the window, flushes under it; for a recorded leaf the page's mapping list is held
 * @inv{L3} @inv{L7} @inv{P5}
 * @lab{1}
 */
x86pte_t x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr);

/**
 * One compare-and-swap on an entry; no TLB work, no counts. For links.
 * @param ht,entry  the slot, of a held table
 * @param old,new   as for pte_cas()
 * @return          what was found
 * @locks           the lock of the table linked to is held: it guards this slot; takes the window
 * @inv{L1}
 * @lab{1}
 */
x86pte_t x86pte_cas(htable_t *ht, uint_t entry, x86pte_t old, x86pte_t new);

/**
 * Clear a leaf if it still maps the frame that it should.
 *
 * TLB: hat_tlb_inval() of its address if what was removed had PT_REF or PT_MOD [SDM3 4.10.2.3]; not for a table with HTABLE_CUT.
 * @param ht,entry  the leaf, of a held table, not shared: asserted
 * @param expect    names the frame; 0: whatever is there
 * @param ptr       NULL, or the entry's address if the caller has it mapped
 * @return          the final value, accessed and dirty as of the instant of clearing; another frame: nothing was changed
 * @locks           takes the window, flushes under it; for a recorded leaf the page's mapping list is held
 * @inv{L4} @inv{P5}
 * @lab{1}
 */
x86pte_t x86pte_inval(htable_t *ht, uint_t entry, x86pte_t expect, void *ptr);

/**
 * Exchange a leaf's attributes if it is still `expect`; always flushes then.
 * @param ht,entry  the leaf, of a held table, not shared: asserted
 * @param expect    what it was
 * @param new       what it shall be: not 0, asserted; the same frame
 * @return          `expect`: done. Anything else: not done, read again - also when a write through a stale translation was
 *                  lost and has been given its permission back (pte_lost_write())
 * @locks           takes the window, flushes under it; the page's mapping list is held
 * @inv{P5} @inv{D7}
 * @lab{1}
 */
x86pte_t x86pte_update(htable_t *ht, uint_t entry, x86pte_t expect, x86pte_t new);
/**
 * After write permission went away and the flush is done: did a CPU write meanwhile through its old translation, and so set the dirty bit
 * [SDM3 4.8]? Then give the permission back (spec 7.12).
 * @param p           the entry, mapped in
 * @param expect,new  what was exchanged
 * @return            the entry as it is now, with PT_MOD; `expect`: nothing of the kind
 * @locks             the window held
 * @inv{D7}
 * @lab{9}
 */
x86pte_t pte_lost_write(volatile void *p, x86pte_t expect, x86pte_t new);

/**
 * @name Runs of entries (pte_run.c): no counts, no flush; those are the caller's, once for all
 * @{
 */
/**
 * Clear all leaves with PT_NOCONSIST or more: those that no mapping list knows.
 * @param p     the first entry, mapped in
 * @param n     how many entries
 * @param seen  all bits that they had are added
 * @return      how many leaves there were
 * @locks       the window held
 */
uint_t pte_sweep(void *p, uint_t n, x86pte_t *seen);
/**
 * Install small leaves in empty entries, for adjacent frames. Nothing valid was there, so nothing has to be flushed [SDM3 4.10.2.3].
 * @param p    the first entry, mapped in
 * @param n    how many entries
 * @param pte  the first leaf; those after it have the next frames
 * @return     how many were: less than n if an entry was not empty
 * @locks      the window held
 */
uint_t pte_fill(void *p, uint_t n, x86pte_t pte);
/**
 * Clear an entry if it maps the frame that it should: x86pte_inval() without its flush.
 * @param p       the entry, mapped in
 * @param expect  what was last read there
 * @return        what was found; another frame: nothing was changed
 * @locks         the window held
 */
x86pte_t pte_take(volatile void *p, x86pte_t expect);
/** @} */

/**
 * Copy entries to the same places of a table that no CPU uses yet. Not atomic, no counts.
 * @param src,dest  with frames of their own: asserted
 * @param entry     the first one
 * @param count     how many
 * @pre             khat_running: asserted
 * @locks           takes both windows of this CPU
 * @inv{L5} @inv{P4}
 * @lab{1}
 */
void x86pte_copy(htable_t *src, htable_t *dest, uint_t entry, uint_t count);
/**
 * Clear entries of a private table, never of a linked one. Not atomic.
 * @param dest   with a frame of its own: asserted
 * @param entry  the first one
 * @param count  how many
 * @locks        takes the window
 * @inv{L4} @inv{F5}
 * @lab{1}
 */
void x86pte_zero(htable_t *dest, uint_t entry, uint_t count);

/**
 * Allocate a CPU's hat_cpu_info: the lock of its windows.
 * @param cp  the CPU, which does not run yet, or is this one
 * @locks     none held: allocates
 * @inv{P4}
 */
void x86pte_cpu_init(struct cpu *cp);
/**
 * Free it.
 * @param cp  the CPU, which does not run any more; nobody holds its lock: asserted
 * @locks     none held: frees
 */
void x86pte_cpu_fini(struct cpu *cp);

#endif
