/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Hooks between the units of the htable layer: not part of the HAT's API ("static" in the specification).
 */
#ifndef HAT_HTABLE_IMPL_H
#define HAT_HTABLE_IMPL_H

#include <hat/htable.h>
#include <hat/x86pte.h>
#include <sys/atomic.h>
#include <sys/kmem.h>

/* Shared state, all of it defined in state.c: units own no globals. */
extern kmem_cache_t *htable_cache;
extern kmutex_t htable_reserve_mutex;
extern htable_t *htable_reserve_pool;       /**< stack through ht_next, under htable_reserve_mutex */
extern volatile uint32_t htable_dont_cache; /**< non-zero: released tables are really freed */
extern uint64_t htable_steal_passes;
/**
 * Draw htable_secret: a number that nobody knows, and with which htable_hash() spreads bases that are equally far apart. Before the
 * first table is hashed; one CPU runs.
 *
 * @locks None.
 */
void htable_secret_draw(void);
extern uintptr_t htable_secret;      /**< odd, drawn at boot: what htable_hash() multiplies by */
extern uint64_t force_steal;         /**< DEBUG: every (n+1)-th request for a frame fails */
extern volatile uint32_t ptable_cnt; /**< DEBUG: counts towards it */

/**
 * Put a table at the head of a chain, and count it in hc_count.
 * @param ht  on none: ht_prev is NULL, asserted
 * @param h   its htable_hash()
 * @locks     htable_lock(ht_hat, h) held: asserted
 * @inv{S1} @inv{S2} @inv{S3} @inv{S4}
 * @lab{3}
 */
void htable_chain_insert(htable_t *ht, uint_t h);
/**
 * Take it out again, uncount it, and leave its links NULL.
 * @param ht  on the chain of h
 * @param h   its htable_hash()
 * @locks     htable_lock(ht_hat, h) held: asserted
 * @inv{S1} @inv{S2} @inv{S4}
 * @lab{4}
 */
void htable_chain_remove(htable_t *ht, uint_t h);

/**
 * Double the chains behind the lock of a hash if there are more tables than chains, and memory for it.
 * @param hat  for the kernel's, nothing happens
 * @param h    some table's htable_hash()
 * @locks      none held: allocates; takes htable_lock(hat, h)
 * @inv{S1} @inv{S2} @inv{S3}
 */
void htable_chains_grow(hat_t *hat, uint_t h);
/**
 * For the kernel's hat, once, at the end of start-up: later, memory for it could need it.
 * @locks  none held: allocates; takes the kernel's table locks, one at a time
 * @inv{S1} @inv{S2} @inv{S3}
 */
void htable_chains_grow_kernel(void);
/**
 * A new hat's chains: as few as it has room for itself.
 * @param hat  zeroed, nobody else's yet
 * @locks      none
 * @inv{S1}
 */
void htable_chains_init(hat_t *hat);
/**
 * The end of them.
 * @param hat  nobody else's any more; its chains are empty
 * @locks      none held: frees
 * @inv{S1}
 */
void htable_chains_fini(hat_t *hat);

/**
 * A private table: all fields set, ht_busy 1, entries zero, not linked. Never fails (it falls back, waits, or panics in boot).
 *
 * Tried in this order: the hat's cached stack, what is kept for everybody (htable_kept()), both already zero and never zeroed
 * again; an object and a frame; the fallback. An object whose frame could not be had goes back first.
 * "Bare" tables (the top of a VLP hat, shared ones) have no frame of their own and never come from the cache.
 * @param hat     whose
 * @param vaddr   htable_base() already
 * @param level   0 ... TOP_LEVEL(hat)
 * @param shared  as for htable_create()
 * @return        the caller's alone
 * @panics        there is no such level (facts: function, level); and as htable_alloc_fallback()
 * @locks         none held: allocates, and may steal
 * @inv{S7} @inv{S10} @inv{F1} @inv{L4}
 * @lab{3}
 */
htable_t *htable_alloc(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared);

/**
 * Make the parent's slot for vaddr point at a new table.
 *
 * The parent's count is raised first, so that it never understates, and the slot noted (htable_note()). TLB: nothing was there to be
 * remembered [SDM3 4.10.2.3], but where htable_is_directory(parent) all CPUs that run the hat load CR3.
 * @param higher  the parent, held by the caller
 * @param new     not linked yet
 * @param vaddr   an address that both cover
 * @panics        the slot holds anything but 0 or a lone PT_REF (facts: slot, table, value)
 * @locks         the new table's lock held: asserted; takes the window, flushes without it
 * @inv{L1} @inv{L2} @inv{L7} @inv{N1} @inv{N7} @inv{N16}
 * @lab{3}
 */
void link_ptp(htable_t *higher, htable_t *new, uintptr_t vaddr);

/**
 * Clear the parent's slot for a table that is empty and unused, flush, and lower the parent's count last. TLB: the first address of the
 * table, because CPUs remember the link itself [SDM3 4.10.3]; where htable_is_directory(parent), all; of a FREEING hat, nothing.
 * @param higher  the parent
 * @param old     without valid entries: asserted
 * @param vaddr   an address that both cover
 * @panics        the slot is not bit for bit our link (facts: slot, table, found, expected)
 * @locks         the old table's lock held: asserted; takes the window, flushes without it
 * @inv{L1} @inv{L2} @inv{N1} @inv{N7} @inv{P5}
 * @lab{4}
 */
void unlink_ptp(htable_t *higher, htable_t *old, uintptr_t vaddr);

/**
 * Give a private or unlinked table up: to the hat's cached stack (all zero, with its frame), or frame and object for good.
 * A shared table's hold on the source is the caller's business; its frame stays the source's.
 * @param ht  out of its chain and parent, or never in; without valid entries
 * @locks     none held: frees, which may sleep; takes hat_mutex
 * @inv{F5} @inv{N13} @inv{N14} @inv{S4}
 * @lab{4}
 */
void htable_free(htable_t *ht);

/**
 * Pop a table off the hat's cached stack.
 * @param hat  whose
 * @return     with a frame, all zero; NULL: there is none
 * @locks      none held; takes hat_mutex
 * @inv{F5} @inv{S4}
 * @lab{4}
 */
htable_t *hat_cache_get(hat_t *hat);
/**
 * Push a table onto it.
 * @param hat  whose
 * @param ht   no flags, counts of 0, a frame that is all zero
 * @locks      none held; takes hat_mutex
 * @inv{F5} @inv{S4}
 * @lab{4}
 */
void hat_cache_put(hat_t *hat, htable_t *ht);

/**
 * @name Tables without an owner, kept for whoever needs one (htable_keep.c)
 * @{
 */
/**
 * A table of a hat that goes, for any hat: zeroed, onto the kernel's cached stack.
 * @param ht  neither shared nor without a frame; what else its fields and entries say is of no interest
 * @return    false: there are enough, or memory is short: free it
 * @locks     none held; takes the window, the kernel's hat_mutex
 * @inv{F5}
 */
bool htable_keep(htable_t *ht);
/**
 * One that was kept.
 * @return  with a frame that is all zero; its other fields are arbitrary; NULL: none
 * @locks   none held; takes the kernel's hat_mutex
 * @inv{F5}
 */
htable_t *htable_kept(void);
/**
 * Give all of them back for good: reclaim callback of the cache of hats.
 * @param arg  not looked at
 * @locks      none held: frees; takes the kernel's hat_mutex
 */
void htable_keep_none(void *arg);
/** @} */

/**
 * The first valid entry of a table in a range.
 * @param ht         held
 * @param entry,end  from, and before which
 * @param ptep       its value, if there is one
 * @return           its index; end: there is none
 * @locks            takes the window
 * @inv{N16}
 */
uint_t htable_next_valid(htable_t *ht, uint_t entry, uint_t end, x86pte_t *ptep);
/**
 * pte_sweep() of a range of entries, and its counts: leaves that no mapping list knows go. No flush: that is the caller's.
 * @param ht         held, not shared
 * @param entry,end  from, and before which
 * @return           all bits that they had
 * @locks            takes the window
 * @inv{N1} @inv{N9}
 */
x86pte_t htable_sweep(htable_t *ht, uint_t entry, uint_t end);
/**
 * Where a range ends in a table.
 * @param ht        any
 * @param entry,va  an entry and its address
 * @param eaddr     end of the range, above va
 * @return          the first entry that is not to be looked at: eaddr lies before it, or the table ends
 * @locks           none
 */
uint_t htable_entries_before(const htable_t *ht, uint_t entry, uintptr_t va, uintptr_t eaddr);

/**
 * First entry of a held table at or after *vap (rounded down to an entry), below eaddr, that is valid or PTE_CUT.
 * @param ht     held
 * @param vap    in: within the table; out: address of the entry, or, with result 0, the first one not looked at (0: wrapped)
 * @param eaddr  HTABLE_WALK_TO_END: no limit but the table's
 * @return       the entry, loaded whole, or 0
 * @locks        takes the window
 * @inv{N16} @inv{D8}
 * @lab{5}
 */
x86pte_t htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr);

/**
 * Push an object onto the reserve.
 * @param ht  without a frame: asserted
 * @locks     none held; takes htable_reserve_mutex
 * @inv{F6} @inv{N12} @inv{S4}
 * @lab{6}
 */
void htable_put_reserve(htable_t *ht);
/**
 * Pop one.
 * @return  ht_hat NULL, ht_pfn PFN_INVALID, the rest arbitrary; NULL: there is none
 * @locks   none held; takes htable_reserve_mutex
 * @inv{F6} @inv{N12} @inv{S4}
 * @lab{6}
 */
htable_t *htable_get_reserve(void);
/**
 * An htable object without a frame: from the reserve for those who live on it, else from the object
 * cache, filling the reserve first when it is low (spec 4.7 rule 3).
 * @return  ht_pfn PFN_INVALID, the rest arbitrary; NULL: nothing can be had
 * @locks   none held: allocates, which may enter the HAT again; takes htable_reserve_mutex
 * @inv{N14} @inv{D11}
 * @lab{6}
 */
htable_t *htable_object_get(void);
/**
 * Give one back: to the reserve when this thread lives on it or it is low, else to the cache, trimming the reserve.
 * @param ht  without a frame
 * @locks     none held: frees, which may enter the HAT again; takes htable_reserve_mutex
 * @inv{N14}
 * @lab{6}
 */
void htable_object_put(htable_t *ht);

/**
 * A frame for a page table: private, locked shared, reserved, contents arbitrary. It was free, so nothing maps it.
 * Counts active_ptables and hs_ptable_allocs. Never sleeps.
 * @param seed  any number: helps to spread
 * @return      PFN_INVALID: memory is short (taking it would leave throttlefree pages free, or fewer, unless the thread is T_NOMEMWAIT),
 *              or failure was injected (force_steal)
 * @panics      the page has no frame (facts: function, page)
 * @locks       none held
 * @inv{F1} @inv{F2} @inv{F3} @inv{F4} @inv{N13} @inv{D5}
 * @lab{7}
 */
pfn_t ptable_alloc(uintptr_t seed);
/**
 * Give it back. Counts active_ptables and hs_ptable_frees.
 * @param pfn  nothing links to it, no TLB can use it
 * @panics     it has no page (facts: function, frame)
 * @locks      none held; sleeps while somebody else has the page locked
 * @inv{F3} @inv{N13} @inv{P5}
 * @lab{7}
 */
void ptable_free(pfn_t pfn);
/**
 * What htable_alloc() does when no object or frame could be had: ask caches to give back (kmem_reap()), steal one (hs_steals), else
 * wait, longer each time, retry.
 * @param hat   whose table it will be
 * @param bare  the table needs no frame
 * @return      an object, with a frame unless bare; neither is cleared
 * @panics      nothing can be stolen yet (facts: function)
 * @locks       none held: waits; takes those of htable_steal()
 * @inv{N13} @inv{D5}
 * @lab{7}
 */
htable_t *htable_alloc_fallback(hat_t *hat, bool bare);
/**
 * Take up to cnt tables from user hats: cached ones, then empty ones of any level below the top, then live ones of level 0,
 * the emptiest first, in htable_steal_passes steps (corrected to 1 ... ptes_per_table); each time from another hat, as far as there are
 * others.
 *
 * A victim has HAT_VICTIM while a stealer works on it and goes to the end of the list of hats before it loses the mark (C-3).
 * Hats that are VICTIM, SHARED or FREEING are left alone; so are tables that are held, shared, or have locked mappings,
 * looked at again after unmapping. A live table costs two shootdowns at most. HATSTAT_INC is the callers' business.
 * @param cnt  how many, from 1 on
 * @return     linked by ht_next, perhaps NULL; each with a frame, no entries, out of its parent and chain, ht_hat NULL
 * @locks      none held: may block; takes hat_list_lock, hat_mutex, table locks, never two of these, and those of htable_cut_empty()
 * @inv{S13} @inv{L1} @inv{N3} @inv{N6} @inv{P5} @inv{D4} @inv{D6}
 * @lab{7}
 */
htable_t *htable_steal(uint_t cnt);

/**
 * @name Cutting a table off, to empty it with one flush (spec 0.1 decision 10)
 * @{
 */
/**
 * Replace the link to a table by PTE_CUT, flush all that its hat has, mark it HTABLE_CUT. Until it is back or gone, L1 does not hold
 * for it.
 * @param ht  held, not the top one
 * @panics    a bad link (facts: table, found, expected)
 * @locks     its lock held; takes the window, flushes without it
 * @inv{L1} @inv{P5}
 */
void htable_cut(htable_t *ht);
/**
 * Put the link back.
 * @param ht  cut off: asserted
 * @panics    something else is in the slot (facts: table, found, expected)
 * @locks     its lock held; takes the window, flushes, if at all, without it
 * @inv{L1} @inv{P5}
 */
void htable_uncut(htable_t *ht);
/**
 * It is empty and goes: now its slot is free, and its parent counts one entry less.
 * @param ht  cut off: asserted
 * @panics    as htable_uncut()
 * @locks     its lock held, until it has left its chain; takes the window
 * @inv{L2} @inv{L4} @inv{N1} @inv{N7}
 */
void htable_cut_off(htable_t *ht);
/**
 * Unmap everything in it, as long as the caller's hold is the only one and nothing gets locked in it: leaves that no mapping list
 * knows in one sweep, others by hat_pte_unmap(). x86pte_inval() flushes nothing for such a table.
 * @param ht  held, cut off: asserted
 * @locks     none held: takes mapping lists, the window
 * @inv{N1} @inv{N9} @inv{E4} @inv{P5}
 */
void htable_cut_empty(htable_t *ht);
/**
 * htable_cut() if nobody else holds the table, and it would be freed once it is empty. Until htable_cut_done() nobody but this thread
 * may have to look the table up.
 * @param ht  held
 * @return    it is cut off
 * @locks     none held; takes the table's lock
 * @inv{L1} @inv{N8}
 */
bool htable_try_cut(htable_t *ht);
/**
 * Give the hold back: a table that is empty then goes, without another flush; any other is put back.
 * @param ht  cut off by htable_try_cut(); of no use to the caller afterwards
 * @locks     none held: frees; takes table locks, one at a time
 * @inv{L1} @inv{N3} @inv{N8}
 */
void htable_cut_done(htable_t *ht);
/**
 * For those who have found a table with HTABLE_CUT and want a hold on it: let the stealer finish. Without it they would hold
 * up the stealer, and fault again and again on what cannot be reached.
 * @param ht  found under its lock, which is held on return as it was on entry, and dropped meanwhile
 * @return    the table at its place now, or NULL; with HTABLE_CUT only if this thread cannot wait: it may take the hold, and
 *            the stealer gives up
 * @locks     its lock held, dropped meanwhile; no mapping list
 * @inv{L1} @inv{S5}
 */
htable_t *htable_after_cut(htable_t *ht) COLD;
/** @} */

/**
 * @name Ranks: what keeps the stealer from searching
 *
 * A table's rank says how full it is. Those that may be taken, of user hats, are counted by rank, in their hat and in
 * htable_ranks[]. Ranks follow the truth at each htable_release() of a table (whoever changes its entries owns a hold, and
 * gives it back), and when a table is linked below it or it leaves its chain. RANK_CACHED is 1 for each hat that may have cached tables. All of
 * this is hints: whoever goes by them looks at the table itself, under its lock, and where all of them say "nothing" the
 * stealer looks everywhere once.
 * @{
 */
extern volatile uint32_t htable_ranks[HTABLE_NRANKS]; /**< of all hats */
/**
 * Give a linked table the rank that it should have.
 * @param ht  held, or its lock is
 * @locks     any may be held: atomic
 */
void htable_rank_follow(htable_t *ht) COLD;
/**
 * It leaves its chain: it has no rank.
 * @param ht  the table
 * @locks     its lock held
 */
void htable_rank_none(htable_t *ht) COLD;
/**
 * The hat's cached stack has been seen to hold a table, or none.
 * @param hat  whose; for the kernel's nothing is noted
 * @param any  a table
 * @locks      hat_mutex held
 */
void htable_note_cached(hat_t *hat, bool any);
/**
 * A hat goes: what it was counted for goes with it.
 * @param hat  nobody else's any more
 * @locks      none: atomic
 */
void htable_rank_forget(hat_t *hat);

/** The rank of a table with n valid entries. */
static inline uint_t
htable_rank_live(uint_t n)
{
	return (HTABLE_RANK_EMPTY + ((n + (1u << HTABLE_RANK_SHIFT) - 1) >> HTABLE_RANK_SHIFT)); /* EMPTY + 1 is LIVE */
}

/**
 * Have a table's rank follow its count.
 * @param ht  linked
 * @locks     its lock held
 */
static inline void
htable_rank(htable_t *ht)
{
	if (htable_rank_live((uint_t)ht->ht_valid_cnt) != ht->ht_rank)
		md_call_cold(htable_rank_follow, ht);
}
/**
 * It is about to leave its chain.
 * @param ht  the table
 * @locks     its lock held
 */
static inline void
htable_unrank(htable_t *ht)
{
	if (ht->ht_rank != HTABLE_RANK_NONE)
		md_call_cold(htable_rank_none, ht);
}
/** @} */

/**
 * Set up a new table's share: flag, frame, source (spec 7.5 step 9); the hold on the source comes with linking.
 * @param ht      private, without a frame
 * @param source  held by the caller, not empty: asserted
 * @locks         none
 * @inv{S10} @inv{S11} @inv{F1}
 * @lab{8}
 */
void htable_share_init(htable_t *ht, htable_t *source);
/**
 * The new shared table has been linked: take its hold on the source.
 * @param source  held by the caller
 * @locks         none held; takes the source's lock
 * @inv{N3} @inv{N15} @inv{D9}
 * @lab{8}
 */
void htable_share_hold(htable_t *source);

/**
 * Must changes of this parent's slots reach CPUs by a load of CR3? They keep PAE directory pointers in registers [SDM3 4.4.1], and VLP hats'
 * entries in a copy.
 * @param higher  any table
 * @return        it is the top of a VLP hat, or the kernel's PAE directory
 * @locks         none
 * @inv{P3}
 */
bool htable_is_directory(const htable_t *higher);

#endif
