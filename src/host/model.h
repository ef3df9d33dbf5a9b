/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The reference model: nothing but a map from (address space, page) to (frame, size, attributes).
 *
 * An address space is watched in a few *regions*, placed where arithmetic is hard: at both ends, around the hole, across
 * borders of tables. A region has `n` units of one size, and all that a history maps is mapped in whole units.
 */
#ifndef HOST_MODEL_H
#define HOST_MODEL_H

#include <vm/as.h>
#include <x86/pte.h>

#define REGIONS      12
#define REGION_UNITS 1024u /**< of 4 KiB: two large pages of 2 MiB, one of 4 */
#define GIANTS       2u    /**< units of 1 GiB */

/** One unit. */
struct model_page {
	pfn_t pfn;     /**< first frame */
	uint16_t attr; /**< as given to the HAT: protection, HAT_NOSYNC */
	int8_t level;  /**< of the leaf that maps it; -1: not mapped */
	bool locked;
	bool device;   /**< its frame has no page_t */
	bool ref, mod; /**< kept in the unit where the leaf begins: the MMU has surely set them */
};

struct model_region {
	uintptr_t base;
	uint_t shift; /**< log2 of a unit */
	uint_t n;
	uint_t mapped; /**< units that are; whoever looks for them need not look where there are none */
	struct model_page *page;
};

struct model {
	bool used, kernel;
	hat_t *hat;
	struct as as;
	uint_t nregions;
	struct model_region region[REGIONS];
	ulong_t leaves; /**< that should exist */
};

/** Choose the regions of a user's or the kernel's address space; nothing is mapped. */
void model_init(struct model *m, bool kernel);
/** End of what a user may map. */
uint64_t model_end(const struct model *m);
/** Nothing is mapped any more. */
void model_clear(struct model *m);
/** The unit over an address; NULL: in no region. */
struct model_page *model_find(struct model *m, uintptr_t va, struct model_region **rp);
/** First address and unit of the leaf that maps a unit. */
struct model_page *model_leaf(const struct model_region *r, uint_t i);
/** Units that a leaf at this level takes (a leaf smaller than a unit: one). */
uint_t model_units(const struct model_region *r, level_t level);
/** The first unit behind those that one table of small pages maps; of large units each is by itself. */
uint_t model_table_end(const struct model_region *r, uint_t i);
/** The level that hat_devload() will choose for a unit, when all it covers is free: the rule, not the HAT's answer. */
level_t model_level(const struct model *m, uintptr_t va, pfn_t pfn, size_t len);
/** Is access allowed by what was asked for? @param how MMU_* */
bool model_allows(const struct model *m, const struct model_page *p, uint_t how);
/** The leaf that maps unit i is gone. @return the first unit after it */
uint_t model_unmap(struct model *m, struct model_region *r, uint_t i);
/** From unit i on a leaf of what->level maps what->pfn and the frames after it. Nothing is mapped there. */
void model_map(struct model *m, struct model_region *r, uint_t i, const struct model_page *what);
/** Does whoever changes the attributes of this leaf to `new` have to keep its accessed and dirty bits (spec 9.3)? */
bool model_collects(const struct model_page *p, uint_t new);
/** The leaf that begins in unit i has other attributes now. */
void model_change(struct model_region *r, uint_t i, uint_t new);
/** The bits of its leaf's entry that what was asked for determines; accessed and dirty where they are surely set, and may be besides. */
x86pte_t model_bits(const struct model *m, const struct model_page *p);
/** Compare with the tables, entry by entry, and with htable_walk(). Panics when they differ. */
void model_compare(struct model *m);

/** Is told each page that was stolen, and what it was. */
typedef void theft_func_t(struct model *m, uintptr_t va, const struct model_page *was);
/**
 * Tables may have been stolen in this step: find out which of a user's pages are gone, forget them, and panic where they may
 * not be, or left something behind. The p_nrm of all pages was 0 before the step.
 * @param va,len  what this step has loaded itself; len 0: nothing
 * @return        how many are gone
 */
uint_t theft_judge(struct model *m, uintptr_t va, size_t len, theft_func_t *func);

/**
 * @name What becomes of a leaf's attributes
 * @{
 */
#define MODEL_CHANGEABLE (uint_t)(PROT_WRITE | PROT_EXEC | HAT_NOSYNC)

static inline uint_t
model_setattr(uint_t old, uint_t named)
{
	return (old | (named & MODEL_CHANGEABLE));
}

static inline uint_t
model_clrattr(uint_t old, uint_t named)
{
	return (old & ~(named & MODEL_CHANGEABLE));
}

static inline uint_t
model_chgattr(uint_t old, uint_t named)
{
	return ((old & ~MODEL_CHANGEABLE) | (named & MODEL_CHANGEABLE));
}

static inline uint_t
model_chgprot(uint_t old, uint_t named)
{
	return (model_chgattr(old, (named & ~(uint_t)HAT_NOSYNC) | (old & HAT_NOSYNC)));
}
/** @} */

static inline uintptr_t
model_va(const struct model_region *r, uint_t i)
{
	return (r->base + ((uintptr_t)i << r->shift));
}

#endif
