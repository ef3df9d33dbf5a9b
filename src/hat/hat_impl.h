/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Address spaces as the HAT sees them, and what its files share with each other.
 *
 * Field letters: [C] constant once the hat is listed, [A] atomic, [L] hat_list_lock, [M] hat_mutex,
 * [B] the lock of the bucket (htable_lock()).
 */
#ifndef HAT_IMPL_H
#define HAT_IMPL_H

#include <hat/mmu.h>
#include <sys/cpu.h>
#include <sys/mutex.h>
#include <vm/hat.h>

struct htable;

#define VLP_LEVEL     2  /**< level of a top table kept inside the hat */
#define VLP_NUM_PTES  4  /**< its entries: 4 x 1 GiB */
#define VLP_SIZE      32 /**< its bytes */
#define HAT_NLOCKS    8  /**< locks per hat, each with chains of its own */
#define HAT_MINCHAINS 2  /**< chains that a lock has from the start, inside the hat */

#define HTABLE_RANK_NONE   0 /**< not known: not released since it was linked, or not linked */
#define HTABLE_RANK_CACHED 1 /**< of no table; its count is 1 for a hat that may have cached tables */
#define HTABLE_RANK_EMPTY  2 /**< linked, without a valid entry */
#define HTABLE_RANK_LIVE   3 /**< and up: up to 64, 128, ... entries; counted at level 0 */
#define HTABLE_RANK_SHIFT  6
#define HTABLE_NRANKS      19 /**< a table of 1024 entries has 16 ranks of its own */

/**
 * @name hat_flags
 * @{
 */
#define HAT_FREEING 0x01 /**< being destroyed: runs nowhere, no TLB work, no stealing */
#define HAT_VLP     0x02 /**< the top table is hat_vlp_ptes ("virtual less than physical", spec 1.8) */
#define HAT_VICTIM  0x04 /**< a stealer looks at it; hat_free_start() waits */
#define HAT_SHARED  0x08 /**< exports tables: its flushes are everybody's */
/** @} */

/**
 * A lock and the chains behind it. Their number doubles as tables come (htable_chains.c), so a chain stays a table or so long; which
 * lock a table has never changes, so nothing but this lock is needed for that.
 */
struct hat_chains {
	kmutex_t hc_lock;
	struct htable **hc_head; /**< [B] at first hat_first_chains */
	uint32_t hc_mask;        /**< [B] number of chains - 1, a power of two - 1 */
	uint32_t hc_count;       /**< [B] tables on them */
};

/** One address space. */
struct hat {
	struct hat_chains hat_chains[HAT_NLOCKS]; /**< all linked tables */
	kmutex_t hat_mutex;
	struct as *hat_as;                            /**< [C] */
	ulong_t hat_pages_mapped[MAX_PAGE_LEVEL + 1]; /**< [A] leaves in its own tables, by level (N9) */
	ulong_t hat_ism_pgcnt;                        /**< [A] 4 KiB pages seen through shared tables (N10) */
	cpuset_t hat_cpus;                            /**< [A] CPUs that run it: targets of its shootdowns */
	volatile uint32_t hat_guests; /**< [A] who unmaps a page everywhere and holds a table of ours: hat_free_end() waits */
	uint32_t hat_flags;           /**< [A]; VICTIM and FREEING change under [L] */
	level_t hat_top;              /**< [C] level of its top table */
	struct htable *hat_htable;    /**< [C] top table */
	struct hat *hat_next;         /**< [L] the kernel's hat anchors the list and is not on it */
	struct hat *hat_prev;         /**< [L] */
	struct htable *hat_ht_cached; /**< [M] detached tables that still own a zeroed frame */
	struct htable *hat_first_chains[HAT_NLOCKS][HAT_MINCHAINS]; /**< [B] as long as they are enough */
	volatile uint32_t hat_ranks[HTABLE_NRANKS];                 /**< [A] hint: how many of its tables have which rank */
	uint_t hat_steal_hand; /**< owner of HAT_VICTIM: the lock behind which the last table was found */
	x86pte_t hat_vlp_ptes[VLP_NUM_PTES] ALIGNED(VLP_SIZE); /**< [A] top table of a VLP hat */
};

#define TOP_LEVEL(hat) ((hat)->hat_top)

/** One range of top-level (or, on i386 with an unaligned kernelbase, level-1) slots that every hat shows (spec 1.5). */
struct hat_kernel_range {
	level_t hkr_level;
	uintptr_t hkr_start;
	uintptr_t hkr_end; /**< 0: the end of memory */
};
#define NUM_KERNEL_RANGE 2
extern struct hat_kernel_range kernel_ranges[NUM_KERNEL_RANGE];
extern int num_kernel_ranges;
extern bool kernel_ranges_final; /**< hats may copy their slots: none of them changes any more */

/** Per-CPU page windows and VLP tables (spec 1.10). */
struct hat_cpu_info {
	kmutex_t hci_mutex;      /**< owner of this CPU's windows; taken with preemption off */
	x86pte_t *hci_vlp_slots; /**< the four entries that this CPU's MMU uses for a VLP hat; NULL: none */
	paddr_t hci_vlp_cr3;     /**< what CR3 holds while it runs one */
};

/**
 * @name cpu_tlb_info
 * @{
 */
#define TLB_CPU_HALTED 0x1u /**< idle: nobody waits for it */
#define TLB_INVAL_ALL  0x2u /**< must flush everything when it wakes */
/** @} */

extern kmutex_t hat_list_lock;
extern kcondvar_t hat_list_cv;
extern cpuset_t khat_cpuset;            /**< CPUs that are online */
extern volatile uint32_t hat_unflushed; /**< range unloads between clearing entries and flushing them */
extern uint64_t use_boot_reserve;       /**< 1 until hat_init_finish() */
extern uint64_t can_steal_post_boot;    /**< 0 until the first hat_alloc() */
extern bool khat_running;               /**< false until hat_kern_setup() ends: tables are reached by the boot window */
extern uintptr_t kpm_vbase;             /**< linear map of RAM; 0: none, page windows are used */
extern uintptr_t ptable_vbase; /**< kpm_vbase once khat_running, 0 before: page tables are reached by a window where it is 0 */
extern uintptr_t vlp_page;     /**< i386-PAE: the kernel's top frame, mapped; groups of directory pointers */

/**
 * Drop translations of one address, or all of them, of a hat, on every CPU that may hold one (spec 6). Entries that CPUs keep of upper
 * levels go with them [SDM3 4.10.4.1]; no CPU looks at another's stores by itself [SDM3 4.10.5].
 *
 * FREEING hats are ignored; HAT_SHARED ones count as the kernel's, whole TLB. Idle CPUs are not disturbed, they
 * flush when they wake. Returns when all others have done it.
 * @param hat  whose; the kernel's: on all CPUs
 * @param va   any address; DEMAP_ALL_ADDR: all, but those that are global
 * @locks      needs none, takes none of the HAT's; callers may hold a table lock, a mapping list and a window
 * @inv{P5} @inv{P1} @inv{P6}
 * @lab{9}
 */
void hat_tlb_inval(hat_t *hat, uintptr_t va);
/**
 * What hat_tlb_inval() does on one CPU. All: a VLP hat's entries are copied again before CR3 is loaded.
 * @param hat,va  as for hat_tlb_inval(); ignored unless this CPU runs that hat, or it is the kernel's
 * @pre           interrupts or preemption off
 * @locks         takes none: it runs in cross-calls
 * @inv{P5} @inv{P3}
 * @lab{9}
 */
void tlb_demap_local(hat_t *hat, uintptr_t va);
/**
 * Mark this CPU halted, before it halts: nobody waits for it to flush.
 * @pre    interrupts off
 * @locks  none
 * @inv{P5}
 * @lab{9}
 */
void tlb_going_idle(void);
/**
 * Take the mark back after waking, in one step with reading it, and flush everything if that was asked for: global entries too,
 * which a load of CR3 leaves [SDM3 4.10.4.1].
 * @pre    interrupts off
 * @locks  none
 * @inv{P5} @inv{P3}
 * @lab{9}
 */
void tlb_service(void);
/**
 * Copy a VLP hat's four entries to where this CPU's MMU reads them, each in one 8-byte store. On i386 it reads them when CR3 is loaded, and
 * only then [SDM3 4.4.1]: that is the caller's business.
 * @param hat  a VLP one: asserted
 * @pre        preemption off
 * @locks      none
 * @inv{P3}
 * @lab{8}
 */
void hat_vlp_refresh(hat_t *hat);

/**
 * Run the tables of a hat on this CPU. Joins its CPU set before CR3 changes, so that no shootdown is missed; never blocks.
 * @param hat  perhaps the one that runs already: then nothing happens
 * @pre        preemption off
 * @locks      none; the scheduler's may be held
 * @inv{P1} @inv{P2} @inv{P3}
 */
void hat_switch(hat_t *hat);
struct kthread;
/**
 * The scheduler's side of it: before a thread runs, its hat is made current.
 * @param next  the thread
 * @pre         interrupts off
 * @locks       the scheduler's held; takes none
 * @inv{P1}
 */
void hat_thread_switch(struct kthread *next);
/**
 * A CPU comes up: its windows and VLP slots, membership in khat_cpuset. The boot CPU's info exists already.
 * @param cp  this CPU, which answers cross-calls
 * @panics    it has no place for directory pointers (i386; facts: CPU, how many fit)
 * @locks     none held: allocates
 * @inv{P6} @inv{P1}
 */
void hat_cpu_online(struct cpu *cp);

/**
 * Leave this CPU's windows as a dump has shown them. A dump reads tables through a window, so what it prints of that
 * window's own entry is the table that holds it: look at that one last, and the tables at rest are what was printed.
 * @locks  takes the window
 * @inv{P4}
 */
void hat_settle_windows(void);

/** Where a user hat's addresses end: a 32-bit process of a 64-bit kernel has four entries of 1 GiB each. */
static inline uintptr_t
hat_user_end(const hat_t *hat)
{
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		return (VLP_NUM_PTES * LEVEL_SIZE(VLP_LEVEL));
	return (userlimit);
}

/** Last address of a VLP hat: four entries of 1 GiB. */
static inline uintptr_t
hat_vlp_last(void)
{
	return ((uintptr_t)UINT32_MAX);
}

/**
 * What CR3 holds while this CPU runs a hat.
 * @param hat  with its top table
 * @return     address of that, or, for a VLP hat, of what this CPU has for such
 * @pre        preemption off
 * @locks      none
 * @inv{P2}
 */
paddr_t hat_cr3(hat_t *hat);

/**
 * @name Start-up, in this order (spec 8.8)
 * @{
 */
/**
 * The caches, the hash function's secret, and the kernel's hat, without a table. After mmu_init() and kmem_init().
 * @locks  none: one CPU
 */
void hat_init(void);
/**
 * Windows, the linear map, the kernel's ranges, reserves for as many tables as boot has built and every hat will show, the boot CPU's
 * hat_cpu_info. All with the boot mapper.
 * @panics  kernelbase and userlimit are not where they may be (facts: both, where the one may be)
 * @locks   none held: one CPU; takes htable_reserve_mutex
 * @inv{N12}
 */
void hat_kern_alloc(void);
/**
 * Adopt boot's tables (htable_attach()) and run on them. From now on khat_running: the boot mapper is closed.
 * @panics  as htable_attach()
 * @locks   none held: one CPU; takes table locks
 * @inv{N11} @inv{P2}
 */
void hat_kern_setup(void);
/**
 * Allocation as usual from now on; a table, for ever, under each slot that every hat will copy; vlp_page, this CPU's VLP slots.
 * @locks  none held: one CPU; takes table locks, the window
 * @inv{L6} @inv{N3} @inv{N12} @inv{F4}
 */
void hat_init_finish(void);
/**
 * Remove what boot mapped, below kernelbase. Called once the other CPUs are up.
 * @param low,high  page aligned
 * @locks           none held; takes table locks, the window; flushes under the latter
 * @inv{N1} @inv{N9} @inv{N11} @inv{P5}
 */
void clear_boot_mappings(uintptr_t low, uintptr_t high);
/** @} */

/**
 * A zeroed hat with empty chains, not listed, no tables. Sleeps for memory.
 * @param as  whose; NULL: the kernel's, or nobody's
 * @return    never NULL
 * @locks     none held: allocates
 * @inv{S1}
 */
hat_t *hat_create_bare(struct as *as);
/**
 * Give its memory back.
 * @param hat  has no table any more, and is not listed
 * @locks      none held: frees
 * @inv{S1}
 */
void hat_destroy_bare(hat_t *hat);

/**
 * Must the running thread live on the HAT's reserves (spec 2)? Asked afresh each time: whatever allocates may change it.
 * @return  yes: start-up, a nested entry into the HAT, a panic, or the thread that fills the VA allocator's own pool
 * @locks   none
 */
bool use_hat_reserves(void);

/**
 * May this range be asked for (vm/hat.h, "misuse")? Not after an assertion, and not, without one, when len is 0.
 * @param hat,va  whose, from where
 * @param len     bytes
 * @return        page aligned, canonical, not empty, on one side of kernelbase, for user hats below hat_user_end()
 * @locks         none
 * @inv{S9} @inv{L9}
 */
bool hat_range_ok(const hat_t *hat, uintptr_t va, size_t len);
/**
 * End of a range, for htable_walk().
 * @param va,len  a range that hat_range_ok() accepts
 * @return        va + len; HTABLE_WALK_TO_END for 0, the end of memory
 * @locks         none
 */
uintptr_t hat_range_end(uintptr_t va, size_t len);
/* An upper layer has broken a rule: assertion in DEBUG, whose text names the invariant and the values; else nothing. */
#ifdef DEBUG
#	define HAT_MISUSE(...) hat_misuse(__FILE__, __LINE__, __VA_ARGS__)
#else
#	define HAT_MISUSE(...) ((void)(0 && (hat_misuse(__FILE__, __LINE__, __VA_ARGS__), 0)))
#endif
/**
 * What HAT_MISUSE() calls in DEBUG kernels: fails an assertion whose text is put together here.
 * @param file,line  where
 * @param fmt        the text: the number of an invariant, a colon, what and which values. As printf()'s, with what follows
 * @locks            any may be held
 */
void hat_misuse(const char *file, int line, const char *fmt, ...) NORETURN PRINTFLIKE(3, 4);

#define HAT_MAXDEPTH 16 /**< nesting of entry points on one thread: mapping memory for a map is 2 or 3 */

struct htable;
struct hment;
/**
 * A leaf: what attributes and flags mean in bits [SDM3 4.3-4.5, 4.9].
 * @param hat,va  where it will stand: kernel leaves are not for users, and global from kernelbase on
 * @param pfn     aligned to the page's size
 * @param attr    PROT_*, HAT_NOSYNC, caching
 * @param level   of the page
 * @param flags   HAT_LOAD_NOCONSIST: unrecorded. Such leaves, and NOSYNC ones, are accessed and dirty from the start
 * @return        the entry
 * @panics        attributes without a caching order (facts: attributes)
 * @locks         none
 * @inv{E1} @inv{E2} @inv{E3}
 */
x86pte_t hati_mkpte(hat_t *hat, uintptr_t va, pfn_t pfn, uint_t attr, level_t level, uint_t flags);
/**
 * Put a leaf into a held table, and record it if pp is not NULL and its software bits say so.
 * @param ht,entry  the slot: neither of a shared table nor of one inside a hat
 * @param pp        its page, kept by the caller: so nobody takes the leaf away before it is counted
 * @param pte       of hati_mkpte()
 * @param flags     HAT_LOAD_LOCK, HAT_LOAD_REMAP
 * @param pte_ptr   NULL, or where the entry is mapped
 * @return          0; -1: a table of smaller pages is in the way, nothing changed
 * @panics          an existing leaf may not become this one (facts: both)
 * @locks           none held; takes the page's mapping list, then the window; flushes under both
 * @inv{E4} @inv{N1} @inv{N6} @inv{N9} @inv{N16} @inv{L7}
 */
int hati_pte_map(struct htable *ht, uint_t entry, struct page *pp, x86pte_t pte, uint_t flags, void *pte_ptr);
/**
 * Find or build the table, load. Marks the hat HAT_SHARED if HAT_LOAD_SHARE says so.
 * @param hat,va  where, aligned to the page's size
 * @param pp      NULL: not recorded; else the page of pfn, kept by the caller
 * @param attr    as for hati_mkpte()
 * @param flags   HAT_LOAD_*
 * @param level   of the page
 * @param pfn     its first frame
 * @return        as hati_pte_map()
 * @panics        as hati_pte_map(), hati_mkpte(), link_ptp(); a table that does not cover va was found (facts: table, its base, va)
 * @locks         none held; takes table locks, then those of hati_pte_map()
 * @inv{E4} @inv{N1} @inv{N9} @inv{S11}
 */
int hati_load_common(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn);
/**
 * Copy an entry's accessed and dirty bits to all pages it maps [SDM3 4.8].
 * @param pte    a leaf
 * @param level  of the table that it was in
 * @locks        none: atomic; its list is locked if it is still there
 */
void hati_sync_pte(x86pte_t pte, level_t level);
/**
 * Exchange a recorded leaf if it is still `expect`. Accessed and dirty bits that the new one cannot keep go to the page; NOSYNC
 * leaves have both (C-41).
 * @param ht,entry  the leaf, of a held table
 * @param expect    what it was
 * @param wanted    what it shall be: the same frame
 * @return          false: not done, read again
 * @locks           the page's list held; takes the window, flushes under it
 * @inv{E3} @inv{D7} @inv{P5}
 */
bool hati_update_pte(struct htable *ht, uint_t entry, x86pte_t expect, x86pte_t wanted);
/**
 * Remove one mapping of a page, found on its list.
 * @param pp        the page, or the first one of its group
 * @param ht,entry  of hment_walk(); not held by the caller
 * @return          objects for hment_free()
 * @panics          the entry maps another frame (facts: entry, frame, table, index)
 * @locks           list held on entry, not on return; takes table locks, under the list the window and the hash's; at last as htable_release()
 * @inv{E4} @inv{E5} @inv{N1} @inv{N9} @inv{D6}
 */
struct hment *hati_page_unmap(struct page *pp, struct htable *ht, uint_t entry);
/**
 * Panic unless a range contains a page whole.
 * @param who        the function that was asked
 * @param ht         the table that maps the page
 * @param va         its first address
 * @param start,end  the range; an end of HTABLE_WALK_TO_END is that of memory
 * @panics           it does not (facts: function, range, page)
 * @locks            none
 */
void hat_check_cut(const char *who, const struct htable *ht, uintptr_t va, uintptr_t start, uintptr_t end);

/**
 * Largest level at which the head of a range can be mapped to adjacent frames: alignment, length, and what the hat may
 * have (no leaves in a top table kept inside it, spec 0.1 decision 7).
 * @param hat,va  where
 * @param pfn     the first frame
 * @param len     bytes, whole pages
 * @return        0 ... mmu.max_page_level, for user hats mmu.umax_page_level
 * @locks         none
 * @inv{L3} @inv{L8}
 * @lab{8}
 */
level_t lpage_level(const hat_t *hat, uintptr_t va, pfn_t pfn, size_t len);
/**
 * Load one page of at most this level, one level lower for each table of smaller pages in the way.
 * @param hat,va,attr,flags,pfn  as for hati_load_common()
 * @param pp                     NULL: not recorded
 * @param level                  of lpage_level(), or lower
 * @return                       the level at which it went in
 * @panics                       not even level 0 will do (facts: address)
 * @locks                        none held; takes those of hati_load_common()
 * @inv{L7} @inv{L8}
 * @lab{8}
 */
level_t lpage_load(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn);

#define HAT_NMEMPTE 16                       /**< CPU-private slots */
extern uintptr_t hat_mempte_va[HAT_NMEMPTE]; /**< addresses of reserved ones; 0: free */

/**
 * Remove one leaf (spec 8.6), its record too. Counts go down if it was there; the hold on the table stays the caller's.
 * @param ht,entry  the slot, of a held table that is not shared
 * @param flags     HAT_UNLOAD_UNLOCK, HAT_UNLOAD_NOSYNC
 * @param old       what was last read there
 * @param pte_ptr   NULL, or where the entry is mapped
 * @panics          a recorded leaf has no page (facts: entry, table, index)
 * @locks           none held; takes the page's mapping list, then the window; flushes under both
 * @inv{E4} @inv{E5} @inv{N1} @inv{N6} @inv{N9} @inv{P5}
 */
void hat_pte_unmap(struct htable *ht, uint_t entry, uint_t flags, x86pte_t old, void *pte_ptr);

/**
 * Is this slot a copy of the kernel's (spec 10, "copied slot")?
 * @param ht,entry  any entry of any table
 * @return          yes: a user hat's, in a kernel range of that very level
 * @locks           none
 * @inv{L5}
 */
bool hat_is_copied_slot(const struct htable *ht, uint_t entry);
/**
 * Is it one of the kernel's own that all hats have copied, and that must stay what it is (C-31)?
 * @param ht,entry  any entry of any table
 * @return          yes; never before hat_init_finish()
 * @locks           none
 * @inv{L5} @inv{L6}
 */
bool hat_is_final_slot(const struct htable *ht, uint_t entry);
/**
 * The window that the checker alone uses (sys/windows.h).
 * @return  its address
 * @locks   none
 */
uintptr_t hat_check_window(void);

/**
 * Is it reserved: a page window's PTE or one counted by hat_mempte_setup() (spec 10, "private slot")?
 * @param ht,entry  any entry of any table
 * @return          yes: then it is no leaf that anybody counts or records
 * @locks           none: a moment's truth
 * @inv{N1} @inv{P4}
 */
bool hat_is_private_slot(const struct htable *ht, uint_t entry);

#endif
