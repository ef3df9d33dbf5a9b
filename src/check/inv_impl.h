/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the parts of the invariant checker share: one snapshot of all structures, and the list of invariants.
 *
 * The structures may be damaged in any way, so nothing is followed twice: inv_collect.c copies every hat and htable that
 * can be reached, with peek() and with bounds, into the arrays below. All invariants are judged on these copies and on
 * table entries read from physical memory.
 */
#ifndef CHECK_INV_IMPL_H
#define CHECK_INV_IMPL_H

#include <hat/htable_impl.h>

#define INV_MAXHATS    64
#define INV_MAXFAULTS  8
#define INV_MAXENTRIES 1024

struct inv_hat;

/** A table found on a chain or a cached stack. */
typedef struct inv_table {
	htable_t it_ht;                                 /**< copy of it */
	htable_t *it_addr;                              /**< where it really is */
	struct inv_hat *it_hat;                         /**< on whose chain or stack it was found */
	struct inv_table *it_same_addr, *it_same_place; /**< inv_index.c's chains */
	struct inv_table *it_parent;                    /**< the linked table of the same hat that ht_parent names, or NULL */
	uint_t it_bucket;
	bool it_cached;
	bool it_readable;   /**< its entries are memory */
	uint_t it_children; /**< linked tables that name it as parent */
	uint_t it_sharers;  /**< linked tables that name it as source */
	uint_t it_valid;    /**< valid entries, copied and private slots left out */
	uint_t it_links;    /**< those of them that are no leaves */
} inv_table_t;

typedef struct inv_hat {
	hat_t ih_hat;                    /**< copy of it */
	uint32_t ih_chained[HAT_NLOCKS]; /**< tables found behind each lock */
	hat_t *ih_addr;
	bool ih_kernel;
	ulong_t ih_leaves[MAX_PAGE_LEVEL + 1]; /**< in tables that are not shared */
	uint64_t ih_shared;                    /**< 4 KiB pages seen through shared tables */
} inv_hat_t;

/** Something that was already wrong while collecting; the invariant with this id reports it. */
typedef struct inv_fault {
	const char *if_id;
	const char *if_text;
	inv_hat_t *if_hat;
	uint64_t if_want, if_have;
} inv_fault_t;

/** The snapshot. */
struct inv_view {
	inv_hat_t *hats; /**< hats[0] is the kernel's */
	uint_t nhats;
	inv_table_t *tables;
	uint_t ntables, maxtables;
	uintptr_t *words; /**< room to sort addresses or frames: as many as objects */
	uint_t nwords, maxwords;
	uint_t nreserve; /**< objects found on the reserve stack */
	inv_fault_t faults[INV_MAXFAULTS];
	uint_t nfaults;
	struct {
		uintptr_t slots; /**< address of the four entries */
		pfn_t low, top;  /**< frame of their table, and of the one above */
	} vlp[NCPU];             /**< of CPUs that have such tables */
	uint_t nvlp;
	paddr_t cr3[NCPU]; /**< of each CPU */
	const struct invariant *judging;
	uint_t violations;
	long lost_frames, lost_objects, lost_shared; /**< gone with hats that were given up */
};
extern struct inv_view inv;

/** One invariant: exactly one of the functions is set, which says how often it is asked. */
struct invariant {
	const char *id;
	const char *sentence;
	void (*all)(void);                                   /**< once */
	void (*hat)(inv_hat_t *h);                           /**< for each hat */
	void (*table)(inv_table_t *t);                       /**< for each linked table */
	void (*entry)(inv_table_t *t, uint_t i, x86pte_t e); /**< for each entry that is not 0, copied or private */
};
extern const struct invariant invariants[];

/** Say that the invariant being judged does not hold. @param t,h  where, or NULL */
void inv_report(const inv_hat_t *h, const inv_table_t *t, uint64_t want, uint64_t have, const char *fmt, ...) PRINTFLIKE(5, 6);
/** Report what collecting found for this id. */
void inv_report_faults(const char *id);

/** Fill the snapshot. false: the kernel's hat itself cannot be read. */
bool inv_collect(void);
/** Pages whose mapping lists are wrong now belonged to a hat that is given up: nothing is said about them again. */
void inv_abandon_pages(void);
/** Have tables be found quickly: once all have been collected. */
void inv_index(void);
void inv_fault(const char *id, inv_hat_t *h, uint64_t want, uint64_t have, const char *text);

/**
 * @name Questions about the snapshot, answered without the HAT's code
 * @{
 */
bool inv_is_top(const inv_table_t *t);
uint_t inv_nentries(const inv_table_t *t);
uintptr_t inv_va(const inv_table_t *t, uint_t i);
uintptr_t inv_last(const inv_table_t *t);         /**< last address that it covers */
bool inv_copied(const inv_table_t *t, uint_t i);  /**< "copied slot" of spec 10 */
bool inv_may_copy(const inv_table_t *t);          /**< is its level one that has copied slots? */
bool inv_private(const inv_table_t *t, uint_t i); /**< "private slot" of spec 10 */
uint_t inv_counted(const inv_table_t *t);         /**< private slots of it that count as valid */
bool inv_range_table(const inv_table_t *t);       /**< of a user hat, made for a kernel range below the top? */
/** The linked table of a hat with this base after another one (NULL: the first), of whatever level; NULL when there is none. */
inv_table_t *inv_next_at(const inv_hat_t *h, uintptr_t base, const inv_table_t *after);
inv_table_t *inv_find(const inv_hat_t *h, uintptr_t base, level_t level);
inv_table_t *inv_by_addr(const htable_t *addr);             /**< linked, in any hat; NULL when there is none */
bool inv_read(const inv_table_t *t, uint_t i, x86pte_t *e); /**< one raw entry */
/** All entries of a table into a buffer of INV_MAXENTRIES; if *zero, all of them are 0 and the buffer says nothing. false: unreadable */
bool inv_read_into(const inv_table_t *t, x86pte_t *to, bool *zero);
bool inv_leaf(const inv_table_t *t, x86pte_t e);
/** The first page under a leaf that is in this state (PAGE_FREE ...); NULL: none. */
struct page *inv_page_in_state(const inv_table_t *t, x86pte_t e, int state);
/** Note where in long mode each CPU's own tables for VLP hats are. */
void inv_find_vlp(void);
/** @} */

#define inv_for_tables(t) for (inv_table_t *t = inv.tables; t < inv.tables + inv.ntables; t++)
#define inv_for_linked(t) inv_for_tables(t) if (!t->it_cached)

/** Sort inv.words. */
void inv_sort(void);

#define INV_DECLARE_ALL(id)   void inv_##id(void)
#define INV_DECLARE_HAT(id)   void inv_##id(inv_hat_t *h)
#define INV_DECLARE_TABLE(id) void inv_##id(inv_table_t *t)
#define INV_DECLARE_ENTRY(id) void inv_##id(inv_table_t *t, uint_t i, x86pte_t e)

INV_DECLARE_HAT(S1);
INV_DECLARE_ALL(S2);
INV_DECLARE_TABLE(S3);
INV_DECLARE_ALL(S4);
INV_DECLARE_TABLE(S5);
INV_DECLARE_TABLE(S6);
INV_DECLARE_HAT(S6_top);
INV_DECLARE_TABLE(S7);
INV_DECLARE_TABLE(S8);
INV_DECLARE_TABLE(S9);
INV_DECLARE_TABLE(S10);
INV_DECLARE_TABLE(S11);
INV_DECLARE_ALL(S12);
INV_DECLARE_ALL(S13);
INV_DECLARE_ALL(S14);
INV_DECLARE_TABLE(L1);
INV_DECLARE_ENTRY(L2);
INV_DECLARE_ENTRY(L3);
INV_DECLARE_ENTRY(L4);
INV_DECLARE_TABLE(L5);
INV_DECLARE_ALL(L6);
INV_DECLARE_ENTRY(L7);
INV_DECLARE_ENTRY(L8);
INV_DECLARE_TABLE(L9);
INV_DECLARE_TABLE(N1);
INV_DECLARE_TABLE(N2);
INV_DECLARE_TABLE(N3);
INV_DECLARE_TABLE(N4);
INV_DECLARE_TABLE(N5);
INV_DECLARE_TABLE(N6);
INV_DECLARE_TABLE(N7);
INV_DECLARE_TABLE(N8);
INV_DECLARE_HAT(N9);
INV_DECLARE_HAT(N10);
INV_DECLARE_ALL(N11);
INV_DECLARE_ALL(N12);
INV_DECLARE_ALL(N13);
INV_DECLARE_ALL(N14);
INV_DECLARE_ALL(N15);
INV_DECLARE_ENTRY(N16);
INV_DECLARE_TABLE(F1);
INV_DECLARE_ALL(F2);
INV_DECLARE_ALL(F3);
INV_DECLARE_ENTRY(F4);
INV_DECLARE_ALL(F5);
INV_DECLARE_ALL(F6);
INV_DECLARE_ENTRY(F7);
INV_DECLARE_ENTRY(E1);
INV_DECLARE_ENTRY(E2);
INV_DECLARE_ENTRY(E3);
INV_DECLARE_ENTRY(E4);
INV_DECLARE_ALL(E5);
INV_DECLARE_ALL(E6);
INV_DECLARE_ALL(E7);
INV_DECLARE_ALL(P1);
INV_DECLARE_ALL(P2);
INV_DECLARE_ALL(P3);
INV_DECLARE_ALL(P4);
INV_DECLARE_ALL(P6);

#endif
