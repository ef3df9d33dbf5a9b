/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One page_t for every physical page of memory: who owns it, who holds it, who maps it (spec 8.1).
 *
 * Field letters: [P] the page's own lock, [F] the free list's spin lock, [H] its mapping-list lock, [A] atomic, [C] constant.
 */
#ifndef VM_PAGE_H
#define VM_PAGE_H

#include <sys/types.h>

typedef struct page {
	pfn_t p_pagenum;           /**< [C] */
	volatile int32_t p_selock; /**< [A] > 0: shared holders, -1: exclusive, 0: free to take */
	uint8_t p_state;           /**< [F] PAGE_FREE ... */
	volatile uint8_t p_nrm;    /**< [A] P_REF, P_MOD, P_RO: collected accessed and dirty bits */
	uint8_t p_szc;             /**< [P] page-size code: level at which its whole group can be mapped; constant while mapped */
	uint8_t p_embed;           /**< [H] the single mapping is kept in the page itself */
	uint16_t p_mlentry;        /**< [H] its entry */
	uint16_t p_flags;          /**< [P] PAGE_SORTED */
	uint32_t p_share;          /**< [H] length of the mapping list; 0 when embedded */
	void *p_mapping;           /**< [H] the list (struct hment), or the one table */
	struct page *p_next;       /**< [F] free list; owner's use otherwise */
	struct page *p_prev;
} page_t;

enum { PAGE_FREE, PAGE_BOOT, PAGE_KERNEL, PAGE_USER, PAGE_TABLE };

#define P_MOD 0x1
#define P_REF 0x2
#define P_RO  0x4
#define P_NSH 0x8

#define PAGE_SORTED 0x1 /**< its owner keeps dirty pages sorted: a page that becomes clean must fault on its next write */
#define PAGE_LOST   0x2 /**< the checker's: belonged to a hat that was given up */

/**
 * @name Memory counts; may be read without locks
 * @{
 */
extern volatile ulong_t freemem;   /**< free pages */
extern ulong_t throttlefree;       /**< ordinary requests stop here */
extern ulong_t physmem;            /**< pages in all */
extern volatile ulong_t availrmem; /**< pages that may still be reserved */
/** @} */

/** Make a page_t for every frame; what boot uses stays PAGE_BOOT. Before the HAT runs. */
void page_init(void);

page_t *page_numtopp_nolock(pfn_t pfn); /**< NULL when there is no such page */
pfn_t page_none_run(
    pfn_t pfn, pfn_t most); /**< how many frames from pfn on certainly have no page, at most so many; 0: perhaps it has one */
/** Any free page: exclusive-locked, contents arbitrary; NULL when there is none. `state` is PAGE_KERNEL or PAGE_USER. */
page_t *page_get(int state);
/**
 * 2^n adjacent pages aligned to their size, for large mappings; each exclusive-locked, p_szc of all the highest level whose
 * pages are not larger than that. NULL when there are none.
 */
page_t *page_get_large(int state, uint_t npages);
/** The first page of the group of this size that a page belongs to; 0: the page itself. */
page_t *page_leader(page_t *pp, level_t szc);
/** The page after pp in ascending order (NULL: the first one); NULL at the end. For those who look at all of them. */
page_t *page_next(page_t *pp);
/** All page_t side by side, for who looks at them often; where p_pagenum is PFN_INVALID there is no page. @param n  how many */
page_t *page_array(ulong_t *n);
/** One page for a page table: accounted, locked shared, never sleeps; undoes its accounting when it fails (C-26). */
page_t *page_get_physical(uintptr_t seed);
void page_free(page_t *pp, int dontneed); /**< exclusive-locked and unmapped; drops the lock */

bool page_trylock(page_t *pp, bool exclusive);
bool page_lock(page_t *pp, bool exclusive, bool reclaim); /**< may block; false: it has been freed meanwhile */
void page_unlock(page_t *pp);
bool page_tryupgrade(page_t *pp);
void page_downgrade(page_t *pp);
#define PAGE_SHARED(pp) ((pp)->p_selock > 0)
#define PAGE_EXCL(pp)   ((pp)->p_selock == -1)

bool page_resv(ulong_t npages, bool nosleep);
void page_unresv(ulong_t npages);

/** Take a page that boot set aside, for instance a page table it built: exclusive-locked. NULL: no such page. */
page_t *boot_claim_page(pfn_t pfn);

/** For tests: let every n-th request for a page fail (0: none). */
extern uint64_t page_fail_after;

#endif
