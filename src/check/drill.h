/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A drill: calls of the HAT drawn from a seed, after which the tables must be what the host says (docs/drill.md).
 *
 * What a step is depends on the seed and its number alone, so that the host's model (src/host/test_drill.c) knows the steps without
 * a kernel that tells it. Each step may be taken whatever the ones before it did.
 */
#ifndef CHECK_DRILL_H
#define CHECK_DRILL_H

#include <vm/hat.h>

#define DRILL_SPACES 3u  /**< address spaces; the second one ends at 4 GiB */
#define DRILL_SMALL  40u /**< page frames to map */
#define DRILL_GROUPS 2u  /**< and large ones */

/** Frames by what they are: the kernel's are wherever they are. */
#define DRILL_GROUP(g) (((g) + 1) * 0x1000u)

/** X(id, word): what a step may be. */
#define DRILL_KINDS(X) \
	X(LOAD, "load") \
	X(ARRAY, "array") \
	X(AGAIN, "load, write, load again") \
	X(LARGE, "large") \
	X(UNLOAD, "unload") \
	X(SETATTR, "setattr") \
	X(CLRATTR, "clrattr") \
	X(CHGATTR, "chgattr") \
	X(CHGPROT, "chgprot") \
	X(SYNC, "sync") \
	X(PAGEUNLOAD, "pageunload") \
	X(TOUCH, "touch") \
	X(RENEW, "renew")

enum drill_kind {
#define DRILL_KIND(id, word) DRILL_##id,
	DRILL_KINDS(DRILL_KIND)
#undef DRILL_KIND
	    DRILL_NKINDS
};

/**
 * One step. Those that map clear all of [ds_va, ds_va + ds_len) first. DRILL_AGAIN then writes to the first page, and maps the same
 * pages again with drill_again()'s attributes.
 */
struct drill_step {
	enum drill_kind ds_kind;
	uint_t ds_space;
	uintptr_t ds_va;
	size_t ds_len;   /**< bytes */
	uint_t ds_skip;  /**< pages from ds_va to the first that is mapped, or is touched */
	uint_t ds_pages; /**< to map */
	uint_t ds_frame; /**< of the first; below DRILL_SMALL (they begin again there), or DRILL_GROUP() */
	uint_t ds_attr;  /**< PROT_*, HAT_NOSYNC; DRILL_TOUCH: PROT_WRITE or 0; DRILL_SYNC: HAT_SYNC_* */
};

/** What the same pages are mapped with the second time: what was kept for them must not be lost. */
static inline uint_t
drill_again(const struct drill_step *st)
{
	return (st->ds_attr ^ PROT_EXEC);
}

/** Step number n, from 0, of the drill of this seed. */
struct drill_step drill_choose(uint64_t seed, ulong_t n);

/** Take frames, make the address spaces. Panics when memory is short. @locks None; after boot, on any CPU */
void drill_begin(void);
/** Do a step. */
void drill_do(const struct drill_step *st);
/** Unmap everything, and give all of it back. */
void drill_end(void);
/** The address space of that number. */
hat_t *drill_hat(uint_t space);
/** The frame that a code stands for. */
pfn_t drill_pfn(uint_t frame);

/** The drill that the command line asks for, if it does: `drill=STEPS`, seed `seed=`. Half way and at the end the host looks. */
void drill_main(void);

#endif
