/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The geometry of the MMU in use: one block of parameters, filled once, so that no code names a PML4 or a PDPT.
 */
#ifndef HAT_MMU_H
#define HAT_MMU_H

#include <x86/pte.h>
#include <sys/debug.h>
#include <md_mmu.h>

#define MAX_NUM_LEVEL  4
#define MAX_PAGE_LEVEL 2
#define MIN_PAGE_LEVEL 0

struct htable;

/** The MMU as mmu_init() found it (spec 1.3). Constant afterwards. */
struct hat_mmu_info {
	x86pte_t pt_nx;          /**< PT_NX if EFER.NXE is on, else 0 */
	x86pte_t pt_global;      /**< PT_GLOBAL if CR4.PGE is on, else 0 */
	pfn_t highest_pfn;       /**< largest frame that an entry can name */
	uint_t num_level;        /**< 2, 3 or 4 */
	level_t max_level;       /**< num_level - 1: the top table of a hat that is not VLP */
	level_t max_page_level;  /**< highest level that may hold leaves */
	level_t umax_page_level; /**< the same for user mappings */
	uint_t ptes_per_table;   /**< entries in a 4 KiB table */
	uint_t top_level_count;  /**< usable entries of the top table */
	bool pae_hat;            /**< entries are 8 bytes */
	uintptr_t hole_start;    /**< first address that is not canonical; no hole: all ones */
	uintptr_t hole_end;      /**< last one; no hole: 0 */
	uint_t pte_size;         /**< bytes of an entry in memory: 8 or 4 */
	uint_t pte_size_shift;
	uint_t group_shift;                      /**< log2 of the entries in a group, of which a table has HTABLE_NGROUPS */
	x86pte_t ptp_bits[MAX_NUM_LEVEL];        /**< of a link, by the level of the table that holds it */
	x86pte_t pte_bits[MAX_NUM_LEVEL];        /**< of a leaf, likewise */
	uint_t level_shift[MAX_NUM_LEVEL + 1];   /**< log2 of the bytes that one entry maps */
	uintptr_t level_size[MAX_NUM_LEVEL + 1]; /**< 0 where it does not fit a pointer */
	uintptr_t level_offset[MAX_NUM_LEVEL + 1];
	uintptr_t level_mask[MAX_NUM_LEVEL + 1];
	uintptr_t pwin_base;   /**< VA of page window 0 (spec 1.10) */
	uintptr_t pwin_pte_va; /**< VA of its PTE; those of the others follow */
	paddr_t pwin_pte_pa;   /**< and its physical address */
};

extern struct hat_mmu_info mmu;

#define LEVEL_SIZE(l)   (mmu.level_size[(l)])
#define LEVEL_OFFSET(l) (mmu.level_offset[(l)])
#define LEVEL_MASK(l)   (mmu.level_mask[(l)])

/** A leaf for a frame, in a table at level l: no permissions yet. */
#define MAKEPTE(pfn, l) (((x86pte_t)(pfn) << PAGESHIFT) | mmu.pte_bits[(l)])
/** A link to the table at level l in this frame, to be stored one level up. */
#define MAKEPTP(pfn, l) (((x86pte_t)(pfn) << PAGESHIFT) | mmu.ptp_bits[(l) + 1])

#define PT_INDEX_PTR(base, i)    ((void *)((uintptr_t)(base) + ((uintptr_t)(i) << MMU_PTE_SHIFT)))
#define PT_INDEX_PHYSADDR(pa, i) ((paddr_t)(pa) + ((paddr_t)(i) << MMU_PTE_SHIFT))

/** Is this address not canonical? */
static inline bool
IN_VA_HOLE(uintptr_t va)
{
	return (va >= mmu.hole_start && va <= mmu.hole_end);
}

/** The address itself, or the first one above the hole when it lies inside. */
static inline uintptr_t
va_skip_hole(uintptr_t va)
{
	return (IN_VA_HOLE(va) ? mmu.hole_end + 1 : va);
}

/** First address that the next entry of a table at level l maps; wraps to 0 at the end of the address space. */
static inline uintptr_t
NEXT_ENTRY_VA(uintptr_t va, level_t l)
{
	return (va_skip_hole((va & LEVEL_MASK(l)) + LEVEL_SIZE(l)));
}

/**
 * Look at the CPU [SDM3 4.1.4], switch NX and global pages on where it has them, and fill `mmu`. First of all start-up.
 * @panics  the CPU has no 8-byte compare-and-exchange (facts: what is missing)
 * @locks   none: one CPU
 * @inv{E1}
 */
void mmu_init(void);

#endif
