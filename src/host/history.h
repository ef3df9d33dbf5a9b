/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Histories of HAT calls: what a step is, doing it beside the model, and choosing the next one.
 *
 * A step is data, so that a history can be repeated without some of its steps (shrink.c) and written down as C (test_replays.c). A
 * step whose time is not right, since what it needs was left out, does nothing.
 */
#ifndef HOST_HISTORY_H
#define HOST_HISTORY_H

#include <host/model.h>

#define SPACES       5u /**< user address spaces at most */
#define KERNEL_SPACE (-1)
#define NOBODY       (-2)
#define SMALL_FRAMES 256u /**< frames to map */
#define CHUNKS       4u   /**< large ones */
#define DEVICES      8u   /**< 2 MiB, and 1 GiB, pieces of physical address space without memory */

/** X(id, word): what a step may be. */
#define OP_KINDS(X) \
	X(TOUCH, "touch") \
	X(LOAD, "load") \
	X(DEVLOAD, "devload") \
	X(UNLOAD, "unload") \
	X(UNLOAD_ALL, "unload all") \
	X(SWAPOUT, "swapout") \
	X(SETATTR, "setattr") \
	X(CLRATTR, "clrattr") \
	X(CHGATTR, "chgattr") \
	X(CHGPROT, "chgprot") \
	X(SYNC, "sync") \
	X(PAGEUNLOAD, "pageunload") \
	X(PAGESYNC, "pagesync") \
	X(LOOKUP, "lookup") \
	X(SWITCH, "switch") \
	X(ALLOC, "alloc") \
	X(FREE, "free") \
	X(REAP, "reap") \
	X(PURGE, "purge") \
	X(SLEEP, "sleep") \
	X(WAKE, "wake") \
	X(REFAULT, "refault")

enum op_kind {
#define OP_KIND(id, word) OP_##id,
	OP_KINDS(OP_KIND)
#undef OP_KIND
	    OP_NKINDS
};

/**
 * @name Frames by what they are, so that a history means the same in another run
 * @{
 */
#define FRAME_KIND(f)     ((f) >> 24)
#define FRAME_INDEX(f)    ((f) >> 16 & 0xff)
#define FRAME_OFFSET(f)   ((f)&0xffff)
#define SMALL(i)          ((uint_t)(i) << 16)               /**< a page of its own */
#define CHUNK(i, offset)  (1u << 24 | (i) << 16 | (offset)) /**< page of a group of 2 or 4 MiB */
#define DEVICE(i, offset) (2u << 24 | (i) << 16 | (offset)) /**< a frame without memory */
#define GIANT(i)          (3u << 24 | (i) << 16)            /**< 1 GiB without memory */
#define FRAME_HAS_PAGE(f) (FRAME_KIND(f) < 2)
/** @} */

/** One step. */
struct op {
	enum op_kind kind;
	int cpu;   /**< who takes it; for OP_WAKE who wakes */
	int space; /**< KERNEL_SPACE, NOBODY */
	uintptr_t va;
	uint_t n;     /**< units of the region */
	uint_t frame; /**< SMALL(), ... */
	uint_t attr;
	uint_t flags; /**< of the HAT's call; for OP_TOUCH MMU_*; OP_UNLOAD: htable_dont_cache; OP_ALLOC: 1: 32 bits */
};

/** What histories count. */
struct history {
	struct model space[SPACES], kernel;
	bool scarce;              /**< memory fails on purpose: tables may be stolen in any step */
	bool reaping;             /**< this step has asked for it */
	ulong_t stolen, returned; /**< pages */
	ulong_t calls;            /**< steps that were calls of the HAT */
};
extern struct history history;

/** Frames to map, and the tables of the kernel that stay once they are made. Boot is over. */
void history_begin(void);
/** All CPUs awake and in the kernel, nothing mapped, no address space. */
void history_give_back(void);
/** Nothing that histories map is on a mapping list. */
void history_expect_unmapped(void);
/** Model, walker, htable_walk(), TLBs and invariants agree. Panics otherwise. */
void history_compare(void);

/** Take a step, and judge it. Panics when the HAT and the model differ. @return false: its time was not right */
bool history_apply(const struct op *op);
/** The frame that a code stands for. */
pfn_t history_pfn(uint_t frame);
/** The page of a frame that has one: FRAME_HAS_PAGE(). */
struct page *history_page(uint_t frame);
/** Has this CPU gone idle? */
bool history_asleep(int id);
/** The address space that the running CPU runs. */
struct model *history_running(void);
/** KERNEL_SPACE, or its number. */
int history_number(const struct model *m);
/** The model of a number; NULL: NOBODY, or no such space now. */
struct model *history_space(int number);
/** After each step: was there a thief? Then the model learns what he took. */
void history_look_for_thieves(const struct op *op);

/** Take the steps of an array, compare everything after each, and give all of it back. */
void history_replay(const struct op *ops, uint_t n);

/** A step that fits what is there: number `step` of the history of this seed. */
struct op history_choose(uint64_t seed, ulong_t step);

#endif
