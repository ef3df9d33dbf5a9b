/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The check framework inside the kernel: what a check is, how it acts on a student's copy, how it survives it.
 *
 * A check gets a fresh scratch hat. Until it says copy_on() everything is the reference; between copy_on() and copy_off()
 * what the unit under test does for that hat is done by the chosen copy (check/trial.h). A panic, assertion, stub, fault
 * or endless loop in between ends the check, not the kernel.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <sys/types.h>
#include <vm/hat.h>

/** One check. Declared with CHECK() beside its function, collected by the linker into one table. */
struct check {
	const char *ck_name;         /**< word on the command line */
	const char *ck_unit;         /**< unit whose copy it exercises; "all": the lab's; NULL: none */
	void (*ck_func)(hat_t *hat); /**< what it does; `hat` is a new scratch hat */
	const char *ck_needs;        /**< checks that must have passed before this one says anything, blank between; or NULL */
	uint16_t ck_lab;
	uint16_t ck_points;
	uint16_t ck_flags; /**< CK_* */
	uint16_t ck_line;  /**< where it stands, CHECK_PART included: checks of a lab run in this order */
};

#define CHECK_NHATS 6

#define CK_BARE 0x1 /**< the scratch hat has a hash and nothing else: no top table, not listed */
#define CK_BOOT \
	0x2 /**< what it looks at happened at power-on: runs for the copy that select= chose for its unit, or the reference */
#define CK_ALONE 0x4 /**< means nothing with its neighbours under test as well: not repeated for all units of a lab together */

/** A lab with several files of checks: which of them this one is, from 0. The second one and those behind it define it first. */
#ifndef CHECK_PART
#	define CHECK_PART 0
#endif
#define CHECK_LINES 4096 /**< a file has fewer */

/**
 * Declare a check: CHECK(create_race, "create-race", "htable_create", 3, 4, CK_NEEDS, flags) { ... uses `hat` ... }
 */
#define CHECK(ident, name, unit, lab, points, needs, flags) \
	static void check_##ident(hat_t *hat); \
	static const struct check check_entry_##ident __attribute__((used, section("checks"), aligned(sizeof(void *)))) = { name, \
		unit, check_##ident, needs, lab, points, flags, CHECK_PART * CHECK_LINES + __LINE__ }; \
	static void check_##ident(hat_t *hat)

/**
 * @name What a check's body says
 * @{
 */
/** From here on the copy under test works for this hat (and, in functions that name no hat, for this thread). */
void copy_on(hat_t *hat);
/** From here on the reference again. */
void copy_off(void);
/** End the check as wrong unless cond; the text gives the values. */
#define check_true(cond, ...) ((cond) ? (void)0 : check_wrong(__FILE__, __LINE__, __VA_ARGS__))
/** End the check as wrong unless both are equal; the text says what they are. */
#define check_eq(have, want, what) check_equal((uint64_t)(have), (uint64_t)(want), what, __FILE__, __LINE__)
/** The record `%check-note`. */
void check_note(const char *fmt, ...) PRINTFLIKE(1, 2);
/** A number below n, the same for the same seed and check. */
uint64_t check_random(uint64_t n);
/**
 * Call fn(arg) and say whether it panicked (or failed an assertion); its message goes to text.
 * The copy in use stays as it was before.
 */
bool check_panics(void (*fn)(void *), void *arg, char *text, size_t size);
/**
 * One more address space, as long as the check lasts. It goes as the scratch hat does: the check unmaps what it has mapped, and
 * what a check that failed leaves in it is given up. At most CHECK_NHATS.
 */
hat_t *check_hat(void);
/**
 * Call fn when the check is over, however it ends, before anything is judged: it puts globals back and ends the check's threads.
 * One a check. The check's thread may be gone then.
 */
void check_finally(void (*fn)(void));
/** @} */

void check_wrong(const char *file, int line, const char *fmt, ...) NORETURN PRINTFLIKE(3, 4);
void check_equal(uint64_t have, uint64_t want, const char *what, const char *file, int line);

/**
 * @name For those who are about to stop the kernel
 * @{
 */
/**
 * Called before the kernel stops for `text`. If the running thread runs a check that answers for it, the check ends here
 * (this call does not return) with result `todo` or `wrong`. Otherwise it returns and the caller stops the kernel.
 * Not with a spinlock held, not in an interrupt handler.
 * @param kind  "panic", "assert", "todo" or "trap"
 * @param file  NULL when not known; @param line likewise 0
 */
void check_intercept(const char *kind, const char *file, int line, const char *text);
/** Would check_intercept() keep the kernel alive now? */
bool check_active(void);
/**
 * The clock's tick, at the end of its handler, as if called by the interrupted thread: a check that has used up its time
 * ends here, and this call does not return.
 */
void check_tick(void);
/** @} */

/** Run what `checks=`, `copy=` and `damage=` on the command line ask for; returns when all have run and the kernel is sound. */
void check_main(void);
/** Was any of these words given? */
bool check_wanted(void);
/** Last words: the record `%done`, the magic breakpoint, silence. */
void run_done(const char *result) NORETURN;
/** Hold everything still and show the kernel's tables to the host (docs/protocol.md); stops in Bochs' debugger. */
void checkpoint(const char *name);

#endif
