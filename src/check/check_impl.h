/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the two halves of the check framework share: check.c stays with a check while it runs, check_run.c decides which.
 */
#ifndef CHECK_CHECK_IMPL_H
#define CHECK_CHECK_IMPL_H

#include <check/check.h>
#include <sys/thread.h>

/** Where a check, or a part of it that may panic, returns to when it cannot go on. Lives on the stack, chained per thread. */
struct check_frame {
	struct md_jmpbuf cf_jump;
	struct check_frame *cf_prev;
	int cf_preempt, cf_hatdepth;    /**< of the thread, to be restored */
	uint64_t cf_deadline;           /**< tick at which patience ends */
	bool cf_catch;                  /**< answers for panics even while no copy is in use */
	int cf_nlocks, cf_copy_preempt; /**< of the thread when the copy came into use */
	const char *cf_kind;            /**< why it returned: "wrong", "panic", "assert", "todo", "trap", "time" */
	char cf_at[64];                 /**< FILE:LINE or function+0x12 or "-" */
	char cf_text[160];              /**< one line */
};

/** One check being run with one copy. Not on a stack: a hanging check's thread is left behind with it. */
struct check_run {
	const struct check *cr_check;
	const char *cr_copy;
	const char *cr_units;        /**< whose copies: the check's own unit, or its lab's */
	uint_t cr_uses;              /**< functions that have the copy */
	hat_t *cr_hat;               /**< NULL once given back */
	hat_t *cr_more[CHECK_NHATS]; /**< check_hat() */
	void (*cr_finally)(void);    /**< check_finally() */
	const char *cr_result;       /**< "ok", "wrong", "todo" */
	char cr_at[64];
	char cr_text[192];
	volatile bool cr_done;
};

extern struct check_run *check_current; /**< the one check that runs now */
extern uint64_t check_ticks;            /**< its budget */

/** Chain a frame to this thread; pair with check_frame_pop(). The jump buffer is the caller's to fill, in its own function. */
void check_frame_push(struct check_frame *f, bool catch_all);
void check_frame_pop(struct check_frame *f);
/** Start the numbers that check_random() gives. */
void check_random_start(const char *name);

#endif
