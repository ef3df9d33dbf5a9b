/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Mapping lists: which entries of which tables map a page.
 *
 * A page mapped once keeps that in itself: p_embed, the table in p_mapping, the entry in p_mlentry. From two mappings on there
 * is a list of hments, p_share of them, and each is also found by (frame of the table, entry) in one hash for all pages. A page
 * returns to the embedded form when one mapping is left.
 *
 * A large leaf is recorded once, at the first page of its group. Records exist for leaves whose software bits are below
 * PT_NOCONSIST, and the two appear and vanish together under the page's mapping-list lock.
 *
 * Nothing is allocated or freed under that lock: hment_prepare() gets the objects first, and what hment_assign() and
 * hment_remove() return goes to hment_free() after the lock has been dropped.
 *
 * Field letters: [H] the page's mapping-list lock, [K] the bucket's lock, [C] constant while recorded.
 */
#ifndef HAT_HMENT_H
#define HAT_HMENT_H

#include <hat/htable.h>
#include <sys/kmem.h>
#include <vm/page.h>

/** One mapping of a page that has several. */
typedef struct hment {
	struct hment *hm_hashnext; /**< [K] */
	struct hment *hm_next;     /**< [H] list; elsewhere: next unused object */
	struct hment *hm_prev;     /**< [H] NULL at the head */
	htable_t *hm_htable;       /**< [C] */
	pfn_t hm_pfn;              /**< [C] its frame: half of the key */
	uint_t hm_entry;           /**< [C] the other half */
} hment_t;

/** What hment_walk() returns for a mapping that is kept in the page. */
#define HMENT_EMBEDDED ((hment_t *)1)

#define HMENT_NHASH  1024 /**< buckets: only pages mapped more than once use them */
#define HMENT_NLOCKS 64   /**< locks of lists; as many of buckets */

extern hment_t **hment_hash_table; /**< for the checker */
extern kmem_cache_t *hment_cache;
extern hment_t *hment_reserve_pool;
extern uint_t hment_reserve_cnt;
extern uint64_t hment_reserve_amount;

/**
 * Bucket of a record.
 * @param table,entry  frame of the table, index
 * @return             below HMENT_NHASH
 * @locks              none
 * @inv{E6}
 */
uint_t hment_hash(pfn_t table, uint_t entry);

/**
 * Lock a page's mapping list. Pages share locks, so never two at once. Nothing happens before hment_init().
 * @param pp  any page
 * @locks     takes it; none of the HAT's is held
 * @inv{E4} @inv{E5}
 */
void x86_hm_enter(page_t *pp);
/**
 * Unlock it.
 * @param pp  the page
 * @locks     the list held on entry, not on return
 * @inv{E4} @inv{E5}
 */
void x86_hm_exit(page_t *pp);
/**
 * Has this thread locked it?
 * @param pp  any page
 * @return    yes; always so before hment_init()
 * @locks     none
 */
bool x86_hm_held(page_t *pp);

/**
 * Get what recording one more mapping will take.
 * @param ht,entry  the slot, of a held table
 * @param pp        the page
 * @return          unused objects, chained; NULL when none are needed (the first mapping, or one that is recorded already)
 * @panics          a thread that lives on the reserve finds it empty (facts: function)
 * @locks           list held: asserted; it may be dropped and taken again meanwhile, to allocate; takes the hash's
 * @inv{E6}
 */
hment_t *hment_prepare(htable_t *ht, uint_t entry, page_t *pp);
/**
 * Record a mapping.
 * @param ht,entry  the leaf; the table has a frame: asserted
 * @param pp        the page that it maps, or the first one
 * @param hm        from hment_prepare(), list not unlocked since
 * @return          what was not needed, for hment_free()
 * @locks           list held: asserted; takes the hash's
 * @inv{E4} @inv{E6}
 */
hment_t *hment_assign(htable_t *ht, uint_t entry, page_t *pp, hment_t *hm);
/**
 * Forget one.
 * @param pp        the page
 * @param ht,entry  the leaf that is gone; the table is held
 * @return          objects that are free now, or NULL: for hment_free()
 * @panics          it is not recorded (facts: page, table, entry)
 * @locks           list held: asserted; takes the hash's
 * @inv{E5} @inv{E6} @inv{E7}
 */
hment_t *hment_remove(page_t *pp, htable_t *ht, uint_t entry);
/**
 * Free unused objects: to the reserve when this thread lives on it or it is low, else to the cache.
 * @param hm  chained; NULL is accepted
 * @locks     none held: frees, which may enter the HAT again; takes the reserve's
 */
void hment_free(hment_t *hm);

/**
 * The next mapping of a page.
 * @param pp      the page
 * @param htp     its table, which stays linked as long as the list is locked; untouched at the end
 * @param entryp  its entry; likewise
 * @param prev    what the last call returned; NULL: the first one
 * @return        handle for the next call, NULL at the end
 * @locks         list held, since the first call: asserted
 * @inv{E5} @inv{E6}
 */
hment_t *hment_walk(page_t *pp, htable_t **htp, uint_t *entryp, hment_t *prev);
/**
 * How often a page is mapped, in leaves of all sizes.
 * @param pp  any page
 * @return    the number of recorded leaves, counted level by level
 * @locks     none held; takes the lists of the page and of its groups' first pages, one at a time
 * @inv{E4} @inv{E6}
 */
uint_t hment_mapcnt(page_t *pp);

/**
 * Locks, hash and cache; before that the locks do nothing.
 * @locks  none: start-up
 */
void hment_init(void);
/**
 * Fill the reserve. Start-up only.
 * @param count  with so many more objects
 * @panics       memory ends (facts: how many are missing)
 * @locks        none held; takes the reserve's
 */
void hment_reserve(uint_t count);
/**
 * Trim it to hment_reserve_amount, unless this thread lives on it.
 * @locks  none held; takes the reserve's, not while it frees
 */
void hment_adjust_reserve(void);

/** Kinds of the mapping lists' locks: a leaf lock is one of the last, the hash's or the reserve's. */
enum hment_lock { HMENT_NO_LOCK, HMENT_LIST_LOCK, HMENT_LEAF_LOCK };
/**
 * Which of the mapping lists' locks is this? For those who watch the order of locks (src/host/lock.c).
 * @param m  any lock
 * @return   HMENT_NO_LOCK: none of them
 * @locks    none
 */
enum hment_lock hment_lock_kind(const kmutex_t *m);

#endif
