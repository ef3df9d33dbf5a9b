/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the files of the stress test share (docs/stress.md): workers, address spaces with a model beside them, pages.
 *
 * Nobody ever waits for a lock of the model: what cannot be had at once is left alone, and the worker does something else. So
 * whoever destroys a space may wait for those who run it.
 *
 * Field letters: [C] constant, [W] its worker's own, [S] the space held exclusively, [R] the region's lock, [P] the page's lock,
 * [A] atomic.
 */
#ifndef STRESS_IMPL_H
#define STRESS_IMPL_H

#include <hat/htable_impl.h>
#include <vm/as.h>
#include <vm/page.h>

#define NWORKERS     16 /**< at most */
#define NSPACES      6
#define NREGIONS     9  /**< of a space: the last one is of large pages */
#define NSLOTS       16 /**< pages of a region */
#define NPAGES       40 /**< small ones that may be mapped anywhere */
#define NGROUPS      2  /**< large ones */
#define NSOURCE      24 /**< pages of the space that is shared */
#define NFRAMES      (NPAGES + NGROUPS + NSOURCE)
#define NMARKS       4 /**< pages of a large page that are looked at */
#define FIRST_GROUP  NPAGES
#define FIRST_SOURCE (NPAGES + NGROUPS)

#define LARGE    ((uintptr_t)LEVEL_SIZE(1))
#define NLARGE   ((uint_t)(LARGE >> PAGESHIFT))
#define VA       ((uintptr_t)0x40000000)
#define SHARE_VA (VA + 32 * LARGE)            /**< where a whole table is shared, in the source and in clients */
#define ODD_VA   (VA + 40 * LARGE + PAGESIZE) /**< where no table fits */
#define RU       (PROT_READ | PROT_USER)
#define RWU      (RU | PROT_WRITE)

/** What is counted as an operation of the HAT. */
/* clang-format off */
#define STRESS_KINDS(X)										\
	X(ALLOC, "hat_alloc") X(FREE_START, "hat_free_start") X(FREE_END, "hat_free_end") X(SETUP, "hat_setup")	\
	X(MEMLOAD, "hat_memload") X(MEMLOAD_ARRAY, "hat_memload_array") X(DEVLOAD, "hat_devload")		\
	X(UNLOAD, "hat_unload") X(UNLOAD_CALLBACK, "hat_unload_callback") X(UNLOCK, "hat_unlock")		\
	X(CHGPROT, "hat_chgprot") X(SETATTR, "hat_setattr") X(CLRATTR, "hat_clrattr") X(CHGATTR, "hat_chgattr")	\
	X(SYNC, "hat_sync") X(PAGEUNLOAD, "hat_pageunload") X(PAGESYNC, "hat_pagesync")				\
	X(PAGE_CLRATTR, "hat_page_clrattr") X(PAGE_GETSHARE, "hat_page_getshare") X(PAGE_DEMOTE, "hat_page_demote") \
	X(SHARE, "hat_share") X(UNSHARE, "hat_unshare") X(SWAPOUT, "hat_swapout")				\
	X(GETPFNUM, "hat_getpfnum") X(GETATTR, "hat_getattr") X(GETPAGESIZE, "hat_getpagesize") X(PROBE, "hat_probe") \
	X(STEAL, "htable_steal") X(REAP, "htable_reap")
/* clang-format on */

enum kind {
#define STRESS_KIND(id, name) K_##id,
	STRESS_KINDS(STRESS_KIND)
#undef STRESS_KIND
	    NKINDS
};

/** A page of memory, or a group of them. */
struct frame {
	page_t *f_page;                   /**< [C] the group's first; its lock stands for all of them */
	uint_t f_npages;                  /**< [C] */
	uint_t f_nmarks;                  /**< [C] */
	uint32_t f_gen;                   /**< [P] how often it was unmapped everywhere; exclusive to change */
	volatile uint8_t f_dirty[NMARKS]; /**< [A] written since its dirty bit was last collected; exclusive to look at */
	volatile uint32_t f_written[NMARKS][NWORKERS]; /**< [W] the last word that each worker has written there */
};

/** What should be mapped at one place. */
struct slot {
	int16_t s_frame; /**< -1: nothing */
	bool s_raw;      /**< without a record */
	bool s_loose;    /**< it may have been taken away since it was loaded */
	uint8_t s_locks; /**< HAT_LOAD_LOCKs; for each, we hold the frame's page shared */
	uint_t s_attr;
	uint32_t s_gen; /**< of the frame, when it was loaded */
};

struct region {
	kmutex_t r_lock;
	uintptr_t r_va;             /**< [C] */
	size_t r_step;              /**< [C] bytes of a slot */
	uint_t r_nslots;            /**< [C] */
	struct slot r_slot[NSLOTS]; /**< [R] or [S] */
};

struct space {
	volatile uint32_t sp_users;     /**< [A] 0: nobody, EXCLUSIVE, or how many */
	volatile uint32_t sp_residents; /**< [A] workers that run it */
	volatile uint32_t sp_evict;     /**< [A] they shall leave */
	hat_t *sp_hat;                  /**< [S] NULL: there is none now */
	struct as sp_as;                /**< [C] says whether it is a 32-bit one */
	struct region sp_region[NREGIONS];
	kmutex_t sp_share_lock;
	uintptr_t sp_share_va; /**< [share lock] 0: nothing is shared */
	uint32_t sp_share_has; /**< [share lock] which pages were there; at SHARE_VA the source's word counts */
};
#define EXCLUSIVE 0xffffffffu

struct worker {
	uint_t w_id; /**< [C] */
	uint64_t w_random;
	uint64_t w_begun; /**< HAT operations; as many as w_ops[] in the end */
	uint64_t w_ops[NKINDS];
	uint64_t w_steps, w_skipped, w_touches, w_refaults, w_faults;
	uint64_t w_digest; /**< of all that it has seen */
	const char *w_doing;
	struct space *w_home; /**< whose tables it runs on; NULL: the kernel's */
};

/** Count and do a call of the HAT: DO for those that return nothing, ASK for the others. */
#define DO(w, kind, call) ((w)->w_begun++, (call), (void)(w)->w_ops[K_##kind]++)
#define ASK(w, kind, call) \
	({ \
		__typeof__(call) result_; \
		(w)->w_begun++; \
		result_ = (call); \
		(w)->w_ops[K_##kind]++; \
		result_; \
	})

extern struct space spaces[NSPACES];
extern struct frame frames[NFRAMES];
extern hat_t *source;
extern volatile uint32_t source_users; /**< [A] as sp_users */
extern uint32_t source_has;            /**< [source exclusive] bit of each page that it maps */
extern bool stress_exact;              /**< nobody steals in this round: whatever was loaded is there. Changes at barriers */
extern bool stress_theft;              /**< this round has thieves */
extern bool stress_tight; /**< page tables are so scarce that nobody locks any: they would all be locked in the end. Constant */

/** Stop the kernel: what was seen is not what must be. The text is followed by what repeats it. */
void stress_fail(const struct worker *w, const char *fmt, ...) NORETURN PRINTFLIKE(2, 3);
uint_t stress_random(struct worker *w, uint_t n);
void stress_digest(struct worker *w, uint64_t value);

/**
 * @name Holding things (stress_model.c)
 * @{
 */
bool users_enter(volatile uint32_t *users); /**< false: somebody has it exclusively */
void users_exit(volatile uint32_t *users);
bool users_enter_alone(volatile uint32_t *users); /**< false: somebody has it */
void users_exit_alone(volatile uint32_t *users);
bool frame_hold(const struct frame *f); /**< shared; false: somebody has it exclusively */
void frame_drop(const struct frame *f);
void worker_go_home(struct worker *w);                 /**< to the kernel's tables */
void worker_visit(struct worker *w, struct space *sp); /**< run this space, which we hold */
/** @} */

/**
 * @name The model (stress_model.c)
 * @{
 */
void frames_init(void);
void frames_fini(void);
void space_init(struct space *sp, bool is32);
uint_t mark_page(const struct frame *f, uint_t m); /**< offset of a marked page: first, second, middle, last */
uintptr_t slot_va(const struct region *r, uint_t i);
/** Load what the slot says. Its frame is held. */
void slot_load(struct worker *w, struct space *sp, struct region *r, uint_t i, uint_t flags);
/** The same for a group, with small pages, where nothing is mapped. */
void group_load_small(struct worker *w, struct space *sp, struct region *r, uint_t i);
/** Must there be a translation? May there be one? The frame is held. */
bool slot_must(const struct slot *s);
bool slot_may(const struct slot *s);
/** Ask the HAT about a slot. */
void slot_ask(struct worker *w, struct space *sp, struct region *r, uint_t i);
/** Read or write it through the MMU. */
void slot_touch(struct worker *w, struct space *sp, struct region *r, uint_t i, bool write);
/** Nothing is mapped there any more: forget it, its locks too. */
void slot_clear(struct slot *s);
/** The same for the pages of the source: is page n seen at va? */
void source_touch(struct worker *w, hat_t *hat, uintptr_t va, uint_t n, bool there);
/** Nobody else runs. Forget what thieves may have taken; afterwards whatever the model has is there. */
void space_settle(struct worker *w, struct space *sp);
/** @} */

/**
 * @name Steps (stress_ops.c)
 * @{
 */
void stress_step(struct worker *w);
void space_destroy(struct worker *w, struct space *sp); /**< held exclusively, nobody runs it */
void source_make(struct worker *w);
void source_destroy(struct worker *w);
void groups_demote(struct worker *w); /**< nobody else runs: break up a large page, and make it whole again */
/** @} */

#endif
