/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Several copies of a lab unit in one image, and who uses which (docs/units.md, src/trial.mk).
 */
#ifndef CHECK_TRIAL_H
#define CHECK_TRIAL_H

#include <sys/types.h>
#include <vm/hat.h>

/** One copy of a function. The first one of each function is the reference, "ref". */
struct trial_copy {
	const char *tc_name;
	void *tc_func;
};

enum { TRIAL_THREAD, TRIAL_HAT, TRIAL_TABLE };

/** A function behind a jump. The table is written by src/tools/triallink.py; a plain image has an empty one. */
struct trial_func {
	const char *tf_name;
	const char *tf_unit;
	const char *tf_lab;
	uint8_t tf_kind; /**< which argument says for whom it works: TRIAL_HAT, TRIAL_TABLE, or TRIAL_THREAD: none */
	uint8_t tf_arg;  /**< counted in words from 0 */
	uint16_t tf_ncopies;
	const struct trial_copy *tf_copies;
};

extern const struct trial_func trial_funcs[];
extern const uint_t trial_nfuncs;

/**
 * Use a copy, for one hat, from here on.
 *
 * Functions that name a hat or a table use it when that is `hat`; the others when the calling thread calls them, outside
 * of nested HAT entries. The kernel's own hat always has the reference.
 * @param unit  a unit, a function, a lab's folder, or "all"
 * @param copy  functions that do not have this copy keep the reference
 * @return      how many functions have it
 */
uint_t trial_begin(hat_t *hat, const char *unit, const char *copy);
void trial_end(void);
/** Is a copy in use on behalf of this thread? */
bool trial_active(void);
/** Has any function of this unit ("all": any at all) a copy of this name? */
bool trial_has(const char *unit, const char *copy);
/** Which copy of a unit the command line has selected from power-on: "ref" unless it says so. */
const char *trial_selected(const char *unit);
/** Once there is a console: panics when select= names what this image has not. */
void trial_check_select(void);
/** Names of copies in the image, each once: number i, or NULL after the last. "ref" is not among them. */
const char *trial_copy_name(uint_t i);

/** Called by trial_dispatch: the function to jump to. Takes no lock; preemption and interrupts may be in any state. */
void *trial_select(uint_t index, const uintptr_t *args);

#define TRIAL_NARGS 4
#define TRIAL_ANY   ((uintptr_t)0x5a5a5a5a) /**< in a query: any value of this argument */

/** One call across a unit's border, recorded while a copy is in use. */
struct trial_call {
	uint16_t tr_func; /**< index into trial_funcs */
	uint16_t tr_copy; /**< index into its copies */
	void *tr_thread;
	uintptr_t tr_args[TRIAL_NARGS]; /**< first words of its arguments, whether it has that many or not */
};

/** Are calls of this function recorded in this image (is it behind a jump)? In a plain image none is. */
bool trial_records(const char *func);
/** Forget recorded calls. trial_begin() does it too. */
void trial_forget(void);
/** How often was `func` called with these first arguments since? TRIAL_ANY matches everything. Newest 256 calls only. */
uint_t trial_calls(const char *func, uintptr_t a0, uintptr_t a1);
/** The newest recorded call of func, or NULL. */
const struct trial_call *trial_last(const char *func);
/**
 * Call fn for each call that is recorded, just before it is made, until the trial ends: so that a check sees what had been done by
 * then, and which locks are held. fn may be called in any state (interrupts off, a window in use): it looks, and takes no lock.
 */
void trial_on_call(void (*fn)(const char *func, const uintptr_t *args));
/** What a call of func with these arguments would run now; NULL: it is not behind a jump. */
void *trial_function(const char *func, const uintptr_t *args);
/** Calls that no longer fit the record: 0, or the counts above are too low. */
uint_t trial_calls_lost(void);

#endif
