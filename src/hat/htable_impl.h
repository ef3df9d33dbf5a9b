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
 * Put a table at the head of the chain of hash h, and count it in hc_count.
 * @locks  htable_lock(ht_hat, h) held: asserted; ht_prev must be NULL.
 * @inv{S2}
 * @lab{3}
 */
void htable_chain_insert(htable_t *ht, uint_t h);
/** Take it out again, uncount it, and leave its links NULL. Same lock. @inv{S2} @lab{4} */
void htable_chain_remove(htable_t *ht, uint_t h);

/** Double the chains behind the lock of hash h if there are more tables than chains. No lock held; does nothing for the kernel's hat. */
void htable_chains_grow(hat_t *hat, uint_t h);
/** For the kernel's hat, once, at the end of start-up: later, memory for it could need it. */
void htable_chains_grow_kernel(void);
/** A new hat's chains; and the end of them, all empty. */
void htable_chains_init(hat_t *hat);
void htable_chains_fini(hat_t *hat);

/**
 * A private table: all fields set, ht_busy 1, entries zero, not linked. Never fails (it falls back, waits, or panics in boot).
 *
 * Tried in this order: the hat's cached stack, what is kept for everybody (htable_kept()), both already zero and never zeroed
 * again; an object and a frame; the fallback. An object whose frame could not be had goes back first.
 * "Bare" tables (the top of a VLP hat, shared ones) have no frame of their own and never come from the cache.
 * @param vaddr   htable_base() already
 * @param level   0 ... TOP_LEVEL(hat), panics otherwise
 * @param shared  as for htable_create()
 * @locks  None held.
 * @lab{3}
 */
htable_t *htable_alloc(hat_t *hat, uintptr_t vaddr, level_t level, htable_t *shared);

/**
 * Make the parent's slot for vaddr point at a new table.
 *
 * The parent's count is raised first, so that it never understates, and the slot noted (htable_note()). TLB: spec section 6.
 * @locks  The new table's own lock held; the parent held (ht_busy > 0).
 * @panics  the slot holds anything but 0 or a lone PT_REF (facts: slot was not empty, value)
 * @inv{L1} @inv{N1}
 * @lab{3}
 */
void link_ptp(htable_t *higher, htable_t *new, uintptr_t vaddr);

/**
 * Clear the parent's slot for a table that is empty and unused, flush (spec section 6), and lower the parent's count last.
 * @locks  The old table's own lock held; the parent held.
 * @panics  the slot is not bit for bit our link (facts: found, expected)
 * @inv{L1} @inv{N1}
 * @lab{4}
 */
void unlink_ptp(htable_t *higher, htable_t *old, uintptr_t vaddr);

/**
 * Give a private or unlinked table up: to the hat's cached stack (all zero, with its frame), or frame and object for good.
 * A shared table's frame and its hold on the source are the caller's business. No lock held.
 * @lab{4}
 */
void htable_free(htable_t *ht);

/** Pop a table off the hat's cached stack; NULL when it is empty. Takes hat_mutex. @inv{F5} @lab{4} */
htable_t *hat_cache_get(hat_t *hat);
/** Push a table with an all-zero frame. Takes hat_mutex. @inv{F5} @lab{4} */
void hat_cache_put(hat_t *hat, htable_t *ht);

/**
 * @name Tables without an owner, kept for whoever needs one (htable_keep.c)
 * @{
 */
/** A private table of a hat that goes, for any hat; its fields and entries are of no interest. @return false: there are enough, free it */
bool htable_keep(htable_t *ht);
/** One that was kept, with a frame that is all zero; its fields are arbitrary. NULL: none */
htable_t *htable_kept(void);
/** Give all of them back for good: reclaim callback of the cache of hats. */
void htable_keep_none(void *arg);
/** @} */

/**
 * The first valid entry of a held table from `entry` on, below `end`, and its value.
 * @return  end: there is none
 */
uint_t htable_next_valid(htable_t *ht, uint_t entry, uint_t end, x86pte_t *ptep);
/** pte_sweep() of the entries of a held table from `entry` on, below `end`, and its counts. @return all bits that they had */
x86pte_t htable_sweep(htable_t *ht, uint_t entry, uint_t end);
/** The first entry that is not to be looked at: eaddr lies before it, or the table ends. `entry` is the one at va. */
uint_t htable_entries_before(const htable_t *ht, uint_t entry, uintptr_t va, uintptr_t eaddr);

/**
 * First entry of a held table at or after *vap (rounded down to an entry), below eaddr, that is valid or PTE_CUT.
 * @param vap  in: within the table; out: address of the entry, or, with result 0, the first one not looked at (0: wrapped)
 * @return     the entry, loaded whole, or 0
 * @lab{5}
 */
x86pte_t htable_scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr);

/** Push an object without a frame. Takes htable_reserve_mutex. @inv{F6} @inv{N12} @lab{6} */
void htable_put_reserve(htable_t *ht);
/** Pop one: ht_hat NULL, ht_pfn PFN_INVALID, the rest arbitrary; NULL when empty. @lab{6} */
htable_t *htable_get_reserve(void);
/**
 * An htable object without a frame (ht_pfn PFN_INVALID): from the reserve for those who live on it, else from the object
 * cache, filling the reserve first when it is low (spec 4.7 rule 3). NULL when nothing can be had. No lock held.
 * @lab{6}
 */
htable_t *htable_object_get(void);
/** Give one back: to the reserve when this thread lives on it or it is low, else to the cache, trimming the reserve. @lab{6} */
void htable_object_put(htable_t *ht);

/**
 * A frame for a page table: private, locked shared, reserved, contents arbitrary; PFN_INVALID when memory is short
 * (taking it would leave throttlefree pages free, or fewer, unless the thread is T_NOMEMWAIT) or on injected failure (force_steal).
 * Counts active_ptables and hs_ptable_allocs. Never sleeps; no lock held.
 * @inv{N13} @inv{F3}
 * @lab{7}
 */
pfn_t ptable_alloc(uintptr_t seed);
/**
 * Give it back: nothing links to it, no TLB can use it. Sleeps while somebody else has the page locked; no lock held. Counts
 * active_ptables and hs_ptable_frees. Panics when the frame has no page (facts: function, frame).
 * @lab{7}
 */
void ptable_free(pfn_t pfn);
/**
 * What htable_alloc() does when no object or frame could be had: ask caches to give back (kmem_reap()), steal one (hs_steals), else
 * wait, longer each time, retry.
 * @param bare  the table needs no frame
 * @return      an object (with a frame unless bare). Panics only while stealing is not possible yet (facts: function)
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
 * @return  linked by ht_next, perhaps NULL; each with a frame, no entries, out of its parent and chain, ht_hat NULL
 * @locks   None held by the caller; may block. hat_list_lock and one table lock, never both.
 * @lab{7}
 */
htable_t *htable_steal(uint_t cnt);

/**
 * @name Cutting a table off, to empty it with one flush (spec 0.1 decision 10)
 * @{
 */
/** Replace the link to a held table by PTE_CUT, flush all that its hat has, mark it HTABLE_CUT. Its lock is held. Panics on a bad link. */
void htable_cut(htable_t *ht);
/** Put the link back. Its lock is held. */
void htable_uncut(htable_t *ht);
/** It is empty and goes: now its slot is free. Its lock is held, until it has left its chain. */
void htable_cut_off(htable_t *ht);
/**
 * Unmap everything in it, as long as the caller's hold is the only one and nothing gets locked in it: leaves that no mapping list
 * knows in one sweep, others by hat_pte_unmap(). x86pte_inval() flushes nothing for such a table.
 * @locks  None held: unmapping takes mapping-list locks.
 */
void htable_cut_empty(htable_t *ht);
/**
 * htable_cut() for a held table, if nobody else holds it, and htable_cut_done(), which gives that hold back: a table that is empty then goes,
 * without another flush. In between nobody but this thread may have to look the table up.
 * @locks  none held
 */
bool htable_try_cut(htable_t *ht);
void htable_cut_done(htable_t *ht);
/**
 * For those who have found a table with HTABLE_CUT and want a hold on it: let the stealer finish. Without it they would hold
 * up the stealer, and fault again and again on what cannot be reached.
 * @param ht  found under its lock, which is held on return as it was on entry, and dropped meanwhile
 * @return    the table at its place now, or NULL; with HTABLE_CUT only if this thread cannot wait: it may take the hold, and
 *            the stealer gives up
 * @locks     no mapping-list lock
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
/** Give a linked table the rank that it should have. Any lock may be held. */
void htable_rank_follow(htable_t *ht) COLD;
/** It leaves its chain. */
void htable_rank_none(htable_t *ht) COLD;
/** The hat's cached stack has been seen to hold a table, or none. Under hat_mutex. */
void htable_note_cached(hat_t *hat, bool any);
/** A hat goes: what it was counted for goes with it. */
void htable_rank_forget(hat_t *hat);

/** The rank of a table with n valid entries. */
static inline uint_t
htable_rank_live(uint_t n)
{
	return (HTABLE_RANK_EMPTY + ((n + (1u << HTABLE_RANK_SHIFT) - 1) >> HTABLE_RANK_SHIFT)); /* EMPTY + 1 is LIVE */
}

/** Have a table's rank follow its count. */
static inline void
htable_rank(htable_t *ht)
{
	if (htable_rank_live((uint_t)ht->ht_valid_cnt) != ht->ht_rank)
		md_call_cold(htable_rank_follow, ht);
}
/** It is about to leave its chain. */
static inline void
htable_unrank(htable_t *ht)
{
	if (ht->ht_rank != HTABLE_RANK_NONE)
		md_call_cold(htable_rank_none, ht);
}
/** @} */

/** Set up a new table's share: flag, frame, source (spec 7.5 step 9); the hold on the source comes with linking. @lab{8} */
void htable_share_init(htable_t *ht, htable_t *source);
/** The new shared table has been linked: take its hold on the source. @lab{8} */
void htable_share_hold(htable_t *source);

/** Must this parent's slot changes reach CPUs by a CR3 reload (a VLP top, the kernel's PAE directory; spec 6)? */
bool htable_is_directory(const htable_t *higher);

#endif
