/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief An independent reader of page tables: raw memory from a physical root, as the MMU sees it [SDM3 4.3-4.5].
 *
 * Shares nothing with the HAT but the bit definitions, so that it does not agree with its mistakes.
 */
#ifndef CHECK_WALK_H
#define CHECK_WALK_H

#include <x86/pte.h>

typedef enum { WALK_LONG, WALK_PAE, WALK_NONPAE } walk_mode_t;

/** One leaf, and what the whole path to it allows. */
typedef struct walk_leaf {
	uint64_t wl_va;                  /**< first address, sign-extended in long mode */
	paddr_t wl_pa;                   /**< first physical address */
	uint64_t wl_size;                /**< bytes */
	x86pte_t wl_entry;               /**< the entry itself */
	paddr_t wl_entry_pa;             /**< where it stands */
	level_t wl_level;                /**< level of the table that holds it, 0 for 4 KiB */
	bool wl_user, wl_write, wl_exec; /**< effective: what every level on the path allows */
} walk_leaf_t;

/** What this CPU uses now. */
walk_mode_t walk_mode(void);
/** Physical address of the tables in this CPU's CR3. */
paddr_t walk_root(void);
/** Level of the top table: 3, 2 or 1. */
level_t walk_top(walk_mode_t mode);

/** The leaf that translates va; false when there is none, or a table on the way cannot be read. */
bool walk_lookup(walk_mode_t mode, paddr_t root, uint64_t va, walk_leaf_t *leaf);
/** The raw entry for va at a level, whatever it is; false when there is no table at that level. */
bool walk_entry(walk_mode_t mode, paddr_t root, uint64_t va, level_t level, x86pte_t *entry, paddr_t *where);

/**
 * Call fn for every leaf that touches [first, last] in ascending order, until it returns false.
 * @return  false when fn stopped it, or a table could not be read
 */
bool walk_range(
    walk_mode_t mode, paddr_t root, uint64_t first, uint64_t last, bool (*fn)(const walk_leaf_t *leaf, void *arg), void *arg);
/** The same for links: fn gets the table's first address, its level, and the link to it; a table comes before those below it. */
bool walk_tables(walk_mode_t mode, paddr_t root, uint64_t first, uint64_t last,
    bool (*fn)(uint64_t va, level_t level, x86pte_t link, void *arg), void *arg);

#endif
