/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Page tables as objects: the contracts of labs 2 to 7. Which unit a function belongs to is listed in docs/units.md.
 *
 * An htable describes one hardware page table. `ht_busy` counts its holds, `ht_valid_cnt` its valid entries; when both
 * are 0 the table may go. Holds are owned by threads, by linked children (one each), by sharers, or for ever.
 *
 * Locks. Everything about a table in its chain is guarded by *its* lock, htable_lock(hat, base, level), which depends on
 * that triple only; so does the slot of its parent that links to it. No two such locks are ever held together, and none
 * while memory is allocated or freed (spec 3.2).
 *
 * Field letters: [C] constant while linked, [B] the table's lock, [A] atomic.
 */
#ifndef HAT_HTABLE_H
#define HAT_HTABLE_H

#include <hat/hat_impl.h>

/**
 * @name ht_flags
 * @{
 */
#define HTABLE_VLP        0x01 /**< entries live in the hat (hat_vlp_ptes), no frame */
#define HTABLE_SHARED_PFN 0x02 /**< the frame belongs to ht_shares */
#define HTABLE_CUT        0x04 /**< the link to it is cleared and flushed while it is emptied (htable_cut.c) */
/** @} */

/** One page table. */
typedef struct htable {
	struct htable *ht_next;        /**< [B] chain; cached stack: hat_mutex; reserve: its mutex */
	hat_t *ht_hat;                 /**< [C] owner; NULL in the reserve */
	uintptr_t ht_vaddr;            /**< [C] first address it covers, its "base" */
	level_t ht_level;              /**< [C] 0 maps 4 KiB pages */
	volatile uint8_t ht_flags;     /**< [C], but HTABLE_CUT: [B] to change it, a hold to look, after an entry is cleared */
	uint16_t ht_permanent;         /**< [B] how many of the holds are for ever (spec 4.2): for the checker */
	int32_t ht_busy;               /**< [B] holds */
	struct htable *ht_prev;        /**< [B] chain only; NULL at its head */
	volatile int32_t ht_valid_cnt; /**< [A] valid entries; whoever changes it owns a hold */
	volatile uint32_t ht_lock_cnt; /**< [A] locked mappings: forbids stealing */
	pfn_t ht_pfn;                  /**< [C] frame of the table; PFN_INVALID when VLP or none yet */
	struct htable *ht_parent;      /**< [C] table above, which we hold; NULL at the top */
	struct htable *ht_shares;      /**< [C] source of a shared frame, which we hold; else NULL */
	volatile uint32_t ht_groups;   /**< [A] a bit for each group of entries that has had a valid one (htable_note()) */
	volatile uint8_t ht_rank;      /**< [A] what the stealer thinks of it, HTABLE_RANK_*; 0 at first (htable_rank.c) */
} htable_t;

/** Entries of this table that mean something: 4 for a PAE directory, else 512 or 1024. */
static inline uint_t
HTABLE_NUM_PTES(const htable_t *ht)
{
	if (ht->ht_flags & HTABLE_VLP)
		return (VLP_NUM_PTES);
	return (ht->ht_level == mmu.max_level ? mmu.top_level_count : MMU_PTES);
}

/** Address of the last 4 KiB page that it can map. Arithmetic may wrap; the top of a 64-bit space has a hole inside. */
static inline uintptr_t
HTABLE_LAST_PAGE(const htable_t *ht)
{
	if (ht->ht_level == MAX_NUM_LEVEL - 1)
		return (UINTPTR_MAX & PAGEMASK);
	return (ht->ht_vaddr - PAGESIZE + ((uintptr_t)(HTABLE_NUM_PTES(ht) - 1) << LEVEL_SHIFT(ht->ht_level)) +
	    LEVEL_SIZE(ht->ht_level));
}

/**
 * @name Groups of entries
 * A table has 32 groups of 16 entries (32, where there are 1024). The bit of a group is set when an entry of it becomes
 * valid, at the latest when whoever made it so has finished; it stays set until the table is given up. So who looks
 * for what is mapped passes over most of a sparse table, and misses nothing.
 * @inv{N16}
 * @{
 */
#define HTABLE_NGROUPS 32

/**
 * The entry is valid now, or will be.
 * @param ht,entry  of a table that is held, or private
 * @locks           none: atomic
 * @inv{N16}
 */
static inline void
htable_note(htable_t *ht, uint_t entry)
{
	uint32_t bit = 1u << (entry >> MMU_GROUP_SHIFT);

	if (!(ht->ht_groups & bit))
		atomic_or_32(&ht->ht_groups, bit);
}

/** The first entry from this one on that can be valid; HTABLE_NUM_PTES(ht) or more: none. A shared table's bits are its source's. */
static inline uint_t
htable_skip(const htable_t *ht, uint_t entry)
{
	uint_t group = entry >> MMU_GROUP_SHIFT;
	uint32_t bits = (uint32_t)((uint64_t)ht->ht_groups >> group); /* behind the last group: none */

	if ((bits & 1) || (ht->ht_flags & HTABLE_SHARED_PFN))
		return (entry);
	if (bits == 0)
		return (HTABLE_NGROUPS << MMU_GROUP_SHIFT);
	return ((group + (uint_t)__builtin_ctz(bits)) << MMU_GROUP_SHIFT);
}
/** @} */

/** Base of the table at `level` that covers va. */
static inline uintptr_t
htable_base(const hat_t *hat, uintptr_t va, level_t level)
{
	return (level > 0 && level == TOP_LEVEL(hat) ? 0 : va & LEVEL_MASK(level + 1)); /* level 0 is never the top */
}

/** The lock that guards the table at (hat, base, level), whether it exists or not; h = htable_hash() of that triple. */
static inline kmutex_t *
htable_lock(hat_t *hat, uint_t h)
{
	return (&hat->hat_chains[h & (HAT_NLOCKS - 1)].hc_lock);
}

/** Head of the chain that such a table is on. */
static inline htable_t **
htable_bucket(hat_t *hat, uint_t h)
{
	struct hat_chains *hc = &hat->hat_chains[h & (HAT_NLOCKS - 1)];

	return (&hc->hc_head[(h / HAT_NLOCKS) & hc->hc_mask]);
}

/**
 * @name All chains of a hat: for (uint_t b = 0; b < htable_nbuckets(hat); b++) htable_chain_at(hat, b)
 * Chains come in turns from the locks; where a lock has fewer, the head is NULL.
 * @{
 */
/** How many there are to be asked for. No lock is needed where no table can come or go. */
static inline uint_t
htable_nbuckets(const hat_t *hat)
{
	uint_t n = 0;

	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		n = hat->hat_chains[k].hc_mask + 1 > n ? hat->hat_chains[k].hc_mask + 1 : n;
	return (n * HAT_NLOCKS);
}
/** The first table of chain b. */
static inline htable_t *
htable_chain_at(const hat_t *hat, uint_t b)
{
	const struct hat_chains *hc = &hat->hat_chains[b % HAT_NLOCKS];

	return (b / HAT_NLOCKS <= hc->hc_mask ? hc->hc_head[b / HAT_NLOCKS] : NULL);
}
/** The number of the chain of hash h. */
static inline uint_t
htable_bucket_of(const hat_t *hat, uint_t h)
{
	return (((h / HAT_NLOCKS) & hat->hat_chains[h % HAT_NLOCKS].hc_mask) * HAT_NLOCKS + h % HAT_NLOCKS);
}
/** @} */

/* ------------------------------------------------------------------ lab 2: finding tables */

/**
 * Index of the entry of a table that maps an address.
 * @param va  within the table: asserted
 * @param ht  any table whose base and level are set
 * @return    0 ... HTABLE_NUM_PTES(ht) - 1; addresses above the hole need no correction, the mask drops their high bits
 * @locks     none
 * @inv{L9}
 * @lab{2}
 */
uint_t htable_va2entry(uintptr_t va, const htable_t *ht);

/**
 * First address that an entry of a table maps; the inverse of htable_va2entry().
 *
 * In a 64-bit top table the upper half of the entries stands for the addresses above the hole:
 * entry 256 is 0xffff800000000000 [SDM1 3.3.7.1].
 * @param ht     any table whose base and level are set
 * @param entry  below HTABLE_NUM_PTES(ht): asserted
 * @return       never in the hole
 * @locks        none
 * @inv{L9}
 * @lab{2}
 */
uintptr_t htable_e2va(const htable_t *ht, uint_t entry);

/**
 * Hash of (hat, base, level), the same for ever: its lowest bits choose the lock, the next ones the chain behind it.
 *
 * Tables of one process should spread: neighbours at one level, and the tables of different levels over one address,
 * fall into different buckets. Nor should a user be able to choose addresses that all fall into one: htable_secret differs from
 * boot to boot.
 * @param hat    whose table
 * @param base   htable_base() of some address
 * @param level  the table's
 * @return       any number
 * @locks        none
 * @inv{S3}
 * @lab{2}
 */
uint_t htable_hash(const hat_t *hat, uintptr_t base, level_t level);

/**
 * The linked table with this base and level in the chain of hash h, or NULL. No hold is taken.
 * @param hat,base,level  which table
 * @param h               their htable_hash()
 * @return                good as long as the lock is held
 * @locks                 htable_lock(hat, h) held: asserted
 * @inv{S2} @inv{S3} @inv{S5}
 * @lab{2}
 */
htable_t *htable_chain_find(hat_t *hat, uint_t h, uintptr_t base, level_t level);

/**
 * Find the table that translates an address at one level, and hold it.
 *
 * A held table stays linked and keeps its frame, whatever other CPUs do, until htable_release(). One that is cut off
 * (htable_cut.c) is waited for.
 * @param hat    whose
 * @param va     any address
 * @param level  0 ... TOP_LEVEL(hat): asserted
 * @return       the table with one more hold; NULL: none built yet, or va is outside (4 GiB and above in a VLP hat)
 * @locks        none held; takes the table's lock
 * @inv{S5} @inv{D3}
 * @lab{2}
 */
htable_t *htable_lookup(hat_t *hat, uintptr_t va, level_t level);

/**
 * One more hold on a table known through a mapping list.
 * @param ht  on its chain: asserted
 * @locks     the mapping list of a page that the table maps is held, which keeps the table linked; takes the table's lock
 * @inv{E5} @inv{N3}
 * @lab{2}
 */
void htable_acquire(htable_t *ht);

/**
 * The lowest table over an address, up to a level, and its entry there.
 * @param hat,va       any address
 * @param entryp,ptep  if not NULL: index and current value (perhaps invalid or a link); untouched when nothing is found
 * @param level        at most mmu.max_page_level: asserted
 * @return             the table, held, or NULL
 * @locks              none held; takes table locks, one at a time, and the window
 * @inv{L7} @inv{S5}
 * @lab{2}
 */
htable_t *htable_getpte(hat_t *hat, uintptr_t va, uint_t *entryp, x86pte_t *ptep, level_t level);

/**
 * The table that maps the page at an address, whatever its size.
 * @param hat,va  any address
 * @param entryp  if not NULL, receives the index, even when the entry turns out not to be a leaf
 * @return        the table, held; NULL when va is not mapped
 * @locks         none held; takes table locks, one at a time, and the window
 * @inv{L7} @inv{S5}
 * @lab{2}
 */
htable_t *htable_getpage(hat_t *hat, uintptr_t va, uint_t *entryp);

/* ------------------------------------------------------------------ lab 3: building the tree */

/**
 * Find or build the table over an address at a level, with all tables above it.
 *
 * Built top down; each new table is linked into its parent before it can be found, both under its own lock. The
 * creator's hold on a parent passes to the new child. When two CPUs race, one table wins and the loser's is freed.
 * After each new table the chains behind its lock may grow: htable_chains_grow().
 * @param hat,va  any address of that address space
 * @param level   0 ... TOP_LEVEL(hat)
 * @param shared  NULL, or the source whose frame a table built at `level` shows (held by the caller)
 * @return        the table with one hold for the caller. Never NULL: memory is stolen or waited for
 * @pre           no large page covers va above `level`
 * @panics        there is no such level (facts: function, level); a shared table is there that shows another source (facts: table, both
 *                sources)
 * @locks         none held; takes table locks, one at a time, none while memory is allocated
 * @inv{S5} @inv{S6} @inv{S7} @inv{S8} @inv{S9} @inv{L1} @inv{L2} @inv{N3} @inv{N7} @inv{D2}
 * @lab{3}
 * @watch         `info tab` before and after; a four-level path appears entry by entry
 */
htable_t *htable_create(hat_t *hat, uintptr_t va, level_t level, htable_t *shared);

/* ------------------------------------------------------------------ lab 4: letting go */

/**
 * Give back one hold. The last hold on an empty table frees it (unless the table is worth keeping, spec 4.5), then the
 * same is done to its parent, and so on upward, by iteration; last, a share source gets its hold back.
 * @param ht  NULL is accepted; of no use to the caller afterwards
 * @locks     none held, no window mapped; takes table locks, one at a time, none while memory is freed, which may sleep
 * @inv{N3} @inv{N5} @inv{N6} @inv{N8} @inv{N15} @inv{D3}
 * @lab{4}
 */
void htable_release(htable_t *ht);

/**
 * Free the cached tables of a hat; of a FREEING hat also every linked one, without looking at counts or links.
 * @param hat  any; a FREEING one is run by nobody and not listed, and shares no tables any more (misuse otherwise)
 * @locks      none held; takes hat_mutex, and for a FREEING hat none of its tables': nobody else is there. Frees, which may sleep
 * @inv{N13} @inv{N14} @inv{S14}
 * @lab{4}
 */
void htable_purge_hat(hat_t *hat);

/* ------------------------------------------------------------------ lab 5: walking */

/**
 * The next mapped page of [*vap, eaddr), in ascending order, leaves of any size.
 *
 * Start with *htp = NULL. On success *htp is a held table, *vap the start of the page (which may lie below the address
 * asked for, inside a large page) and the result its entry. Advance *vap by LEVEL_SIZE((*htp)->ht_level) and call again
 * with the same *htp: the hold travels in and out. On failure 0, *htp = NULL, *vap = 0. Who stops early releases *htp.
 *
 * Passes over what htable_skip() says is empty.
 * Every leaf that exists throughout the call is reported exactly once, on both sides of the hole, never inside it.
 * @param hat    whose
 * @param htp    in: NULL, or what the last call gave; out: the table, held, or NULL
 * @param vap    in: where to start; out: where the page starts, or 0
 * @param eaddr  above *vap: asserted; HTABLE_WALK_TO_END: no limit (user hats: kernelbase, VLP hats of a 64-bit kernel: 4 GiB)
 * @return       the entry, as of some moment of the call; 0: no more
 * @locks        none held; takes table locks, one at a time, and the window
 * @inv{N9} @inv{N10} @inv{N16} @inv{D8}
 * @lab{5}
 */
x86pte_t htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr);

/**
 * How many leaves lie side by side in a table, from a leaf that htable_walk() has found on: the walk may go on behind all of them.
 * @param ht     held
 * @param va     the leaf's address
 * @param eaddr  leaves at or behind it do not count
 * @return       1 or more
 * @locks        takes the window
 * @inv{L3}
 */
uint_t htable_run(htable_t *ht, uintptr_t va, uintptr_t eaddr);

/* ------------------------------------------------------------------ lab 6: inheriting from boot */

/**
 * Create the object cache of htables, with htable_reap() as its reclaim callback. A slab of it costs one VA allocation, which the
 * reserve pays for (spec 4.7).
 * @locks  none: start-up
 * @inv{D11}
 * @lab{6}
 */
void htable_init(void);
/**
 * Boot only: fill the reserve with fresh objects; asserts use_boot_reserve.
 * @param count  how many, besides HTABLE_RESERVE_AMOUNT
 * @panics       memory ends (facts: how many are missing)
 * @locks        none held; takes htable_reserve_mutex
 * @inv{F6} @inv{N12}
 * @lab{6}
 */
void htable_initial_reserve(uint_t count);
/**
 * Give what the reserve has above htable_reserve_amount back to the object cache, unless this thread lives on it.
 * @locks  none held; takes htable_reserve_mutex, not while it frees
 * @inv{N12} @inv{N14}
 * @lab{6}
 */
void htable_adjust_reserve(void);

/**
 * Describe a table that boot built, and all tables below it, by htables; nothing is moved.
 *
 * Counts what it finds (ht_valid_cnt, hat_pages_mapped, active_ptables), claims the frames (locked shared, reserved),
 * checks each link bit for bit, and keeps its hold for ever on tables that reach kernelbase or beyond.
 * @param hat         the kernel's
 * @param base,level  of this table
 * @param parent      NULL for the top table, which becomes hat_htable
 * @param pfn         its frame
 * @pre               the window it uses (spec 1.10 route 1) shows one table at a time: each nested call moves it
 * @panics            the reserve is empty (facts: address, level); a frame has no page or cannot be reserved (facts: frame); a link has
 *                    other bits than MAKEPTP() gives (facts: value, index, table's frame, level, what it should be)
 * @locks             none held: one CPU; takes table locks, one at a time
 * @inv{N1} @inv{N3} @inv{N4} @inv{N9} @inv{N11} @inv{N13} @inv{L1} @inv{F3}
 * @lab{6}
 */
void htable_attach(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, pfn_t pfn);

/* ------------------------------------------------------------------ lab 7: running out */

/**
 * Reclaim callback of the htable cache: steals a twentieth of all tables that there are (active_ptables), but not more than a twentieth
 * of memory's pages (physmem), and in any case 10, as far as there are so many; their frames and objects go for good.
 * Then trims both reserves (htable_adjust_reserve(), hment_adjust_reserve()). Does nothing while !can_steal_post_boot.
 * Counts hs_reap_attempts, always, and hs_reaped, for each table.
 * @param arg  not looked at
 * @locks      none held; takes those of htable_steal(), and none while it frees, which may sleep
 * @inv{D10}
 * @lab{7}
 */
void htable_reap(void *arg);

/**
 * @name Statistics (DEBUG), all bumped atomically
 * @{
 */
struct hatstats {
	volatile ulong_t hs_reap_attempts, hs_reaped, hs_steals, hs_ptable_allocs, hs_ptable_frees;
	volatile ulong_t hs_htable_rgets, hs_htable_rputs, hs_htable_shared, hs_htable_unshared;
	volatile ulong_t hs_adopted, hs_tlb_inval_delayed, hs_tlb_invals; /* the last: of user hats */
};
extern struct hatstats hatstat;
#ifdef DEBUG
#	define HATSTAT_INC(f) atomic_add_long(&hatstat.f, 1)
#else
#	define HATSTAT_INC(f) ((void)0)
#endif
/** @} */

#define HTABLE_RESERVE_AMOUNT 200      /**< added to the boot reserve */
extern uint64_t htable_reserve_amount; /**< steady size of the reserve */
extern uint_t htable_reserve_cnt;
extern volatile uint32_t active_ptables; /**< frames that are page tables */

#endif
