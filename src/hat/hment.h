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

/** Bucket of a record. */
uint_t hment_hash(pfn_t table, uint_t entry);

/** Lock a page's mapping list; pages share locks, so never two at once. Nothing happens before hment_init(). */
void x86_hm_enter(page_t *pp);
void x86_hm_exit(page_t *pp);
bool x86_hm_held(page_t *pp); /**< by this thread; true before hment_init() */

/**
 * Get what recording one more mapping will take.
 * @return  unused objects, chained; NULL when none are needed (the first mapping, or one that is recorded already)
 * @locks   list locked; it may be dropped and taken again meanwhile
 * @panics  a thread that lives on the reserve finds it empty (facts: function)
 */
hment_t *hment_prepare(htable_t *ht, uint_t entry, page_t *pp);
/** Record a mapping. @param hm from hment_prepare(), list not unlocked since. @return what was not needed. @inv{E6} */
hment_t *hment_assign(htable_t *ht, uint_t entry, page_t *pp, hment_t *hm);
/**
 * Forget one.
 * @return  objects that are free now, or NULL
 * @locks   list locked
 * @panics  it is not recorded (facts: page, table, entry)
 * @inv{E6} @inv{E7}
 */
hment_t *hment_remove(page_t *pp, htable_t *ht, uint_t entry);
/** Free unused objects. NULL is accepted. No lock held. */
void hment_free(hment_t *hm);

/**
 * The mapping after `prev` (NULL: the first) of a page; its table and entry.
 * @return  handle for the next call, NULL at the end
 * @locks   list locked, since the first call
 */
hment_t *hment_walk(page_t *pp, htable_t **htp, uint_t *entryp, hment_t *prev);
/** How often a page is mapped, in leaves of all sizes. Takes list locks, one after another. */
uint_t hment_mapcnt(page_t *pp);

void hment_init(void);            /**< locks, hash and cache; before that the locks do nothing */
void hment_reserve(uint_t count); /**< fill the reserve with so many more objects */
void hment_adjust_reserve(void);  /**< trim it to hment_reserve_amount, unless this thread lives on it */

/** Which of the mapping lists' locks is this? For those who watch the order of locks (src/host/lock.c). */
enum hment_lock { HMENT_NO_LOCK, HMENT_LIST_LOCK, HMENT_LEAF_LOCK };
enum hment_lock hment_lock_kind(const kmutex_t *m);

#endif
