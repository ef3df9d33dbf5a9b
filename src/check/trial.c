/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Choosing among several copies of a unit, call by call.
 *
 * A trial image has, for each function with several copies, a jump under the function's own name that ends up in
 * trial_select(). It is called from everywhere, also with interrupts off and before anything else works, so it only reads:
 * the one trial that may be in progress, and the arguments through peek().
 *
 * The kernel's own hat always gets the reference, so that a broken copy harms only the scratch hat it works for. The
 * exception is `select=UNIT:COPY[,UNIT:COPY]` on the command line: from power-on, for everybody. That is for what happens
 * at boot only.
 */
#include <check/evidence.h>
#include <check/trial.h>
#include <hat/htable.h>
#include <sys/atomic.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/tunable.h>

#define TRIAL_NCALLS   256 /**< calls remembered; a power of two */
#define TRIAL_MAXFUNCS 128

/** The trial in progress. Written by the checking thread only, while no other thread works for the scratch hat. */
static struct {
	volatile bool on;
	hat_t *hat;
	struct kthread *thread;
	uint8_t copy[TRIAL_MAXFUNCS]; /**< per function: index of the copy to use */
} trial FRAMEWORK;

/** What a check has asked for while the trial goes on; like the calls themselves not among what may not change meanwhile. */
static struct {
	void (*on_call)(const char *func, const uintptr_t *args); /**< or NULL */
	bool telling;                                             /**< what the check itself calls meanwhile is not told */
} watch;

/** What `select=` asks for, per function. */
static uint8_t boot_copy[TRIAL_MAXFUNCS] FRAMEWORK;
static enum { BOOT_UNKNOWN, BOOT_NONE, BOOT_SOME } boot_state FRAMEWORK;

static struct trial_call calls[TRIAL_NCALLS];
static volatile uint32_t ncalls;

/* The word is read below, long before tunables are parsed; it is declared so that the parser knows it. */
static char select_word[128];
TUNABLE_STRING(select_word, "select", "UNIT:COPY[,UNIT:COPY...]: use these copies from power-on, for every hat (trial images)");

static bool
func_matches(const struct trial_func *f, const char *unit)
{
	return (strcmp(unit, "all") == 0 || strcmp(unit, f->tf_unit) == 0 || strcmp(unit, f->tf_name) == 0 ||
	    strcmp(unit, f->tf_lab) == 0);
}

/* Index of a copy, 0 when the function has no such copy: 0 is the reference. */
static uint8_t
find_copy(const struct trial_func *f, const char *name)
{
	for (uint_t c = 1; c < f->tf_ncopies; c++)
		if (strcmp(f->tf_copies[c].tc_name, name) == 0)
			return (c);
	return (0);
}

/* Fill a table of choices; returns how many functions have the copy. */
static uint_t
choose(uint8_t *table, const char *unit, const char *copy)
{
	uint_t n = 0;

	for (uint_t i = 0; i < trial_nfuncs && i < TRIAL_MAXFUNCS; i++) {
		uint8_t c = func_matches(&trial_funcs[i], unit) ? find_copy(&trial_funcs[i], copy) : 0;

		if (c != 0) {
			table[i] = c;
			n++;
		}
	}
	return (n);
}

/* ------------------------------------------------------------------ select= */

#define NAME_SIZE 40

/* Cut a name out of a list, and say where it ends. */
static const char *
cut_name(const char *p, char *name)
{
	size_t n = 0;

	while (*p != '\0' && *p != ':' && *p != ',' && *p != ' ' && *p != '"' && n < NAME_SIZE - 1)
		name[n++] = *p++;
	name[n] = '\0';
	return (p);
}

/* UNIT:COPY; the copy is empty where there is no colon. Says where the next one starts; NULL after the last. */
static const char *
cut_pair(const char *p, char *unit, char *copy)
{
	copy[0] = '\0';
	p = cut_name(p, unit);
	if (*p == ':')
		p = cut_name(p + 1, copy);
	return (*p == ',' ? p + 1 : NULL);
}

/* Use the first of a list, and say where the next one starts. */
static const char *
select_one(const char *p)
{
	char unit[NAME_SIZE], copy[NAME_SIZE];

	p = cut_pair(p, unit, copy);
	if (choose(boot_copy, unit, copy) > 0)
		boot_state = BOOT_SOME;
	return (p);
}

void
trial_check_select(void)
{
	char unit[NAME_SIZE], copy[NAME_SIZE];

	for (const char *p = select_word; p != NULL && *p != '\0';) {
		p = cut_pair(p, unit, copy);
		if (strcmp(copy, "ref") != 0 && !trial_has(unit, copy))
			panic("select=%s: this image has no copy \"%s\" of \"%s\"", select_word, copy, unit);
	}
}

/* The first calls come before the boot loader's command line is known: those use the reference, and nothing is decided. */
static void
select_init(void)
{
	static const char word[] = "select=";
	const char *p = bootinfo.bi_cmdline;

	if (bootinfo.bi_version == 0)
		return;
	boot_state = BOOT_NONE;
	for (; *p != '\0'; p++)
		if (strncmp(p, word, sizeof(word) - 1) == 0 && (p == bootinfo.bi_cmdline || p[-1] == ' ' || p[-1] == '"'))
			for (p += sizeof(word) - 1; p != NULL;)
				if ((p = select_one(p)) == NULL)
					return;
}

/* ------------------------------------------------------------------ call by call */

static void
remember(uint_t index, uint8_t copy, const uintptr_t *args)
{
	uint32_t slot = (atomic_add_32(&ncalls, 1) - 1) & (TRIAL_NCALLS - 1);
	struct trial_call *c = &calls[slot];

	c->tr_func = index;
	c->tr_copy = copy;
	c->tr_thread = curthread;
	for (uint_t i = 0; i < TRIAL_NARGS; i++)
		c->tr_args[i] = args[i];
}

/* Functions that name no hat, and calls that name none (a NULL table): the thread decides. */
static bool
for_our_thread(void)
{
	struct kthread *t = curthread;

	return (t == trial.thread && t->t_hatdepth <= 1);
}

static bool
for_our_hat(const struct trial_func *f, const uintptr_t *args)
{
	uintptr_t arg = args[f->tf_arg];
	hat_t *hat = NULL;

	if (f->tf_kind == TRIAL_THREAD || arg == 0)
		return (for_our_thread());
	if (f->tf_kind == TRIAL_HAT)
		return ((hat_t *)arg == trial.hat);
	return (peek(&((htable_t *)arg)->ht_hat, &hat, sizeof(hat)) && hat == trial.hat);
}

static void
tell_check(const char *func, const uintptr_t *args)
{
	if (watch.on_call == NULL || watch.telling)
		return;
	watch.telling = true;
	watch.on_call(func, args);
	watch.telling = false;
}

void *
trial_select(uint_t index, const uintptr_t *args)
{
	const struct trial_func *f = &trial_funcs[index];
	uint8_t copy = 0;

	if (boot_state == BOOT_UNKNOWN)
		select_init();
	if (boot_state == BOOT_SOME)
		copy = boot_copy[index];
	if (trial.on) {
		bool ours = for_our_hat(f, args);

		if (ours && trial.copy[index] != 0)
			copy = trial.copy[index];
		if (ours) {
			remember(index, copy, args);
			tell_check(f->tf_name, args);
		}
	}
	return (f->tf_copies[copy].tc_func);
}

/* ------------------------------------------------------------------ for checks */

uint_t
trial_begin(hat_t *hat, const char *unit, const char *copy)
{
	uint_t n;

	memset(trial.copy, 0, sizeof(trial.copy));
	n = choose(trial.copy, unit, copy);
	trial.hat = hat;
	trial.thread = curthread;
	watch.on_call = NULL;
	trial_forget();
	membar();
	trial.on = true;
	return (n);
}

void
trial_end(void)
{
	trial.on = false;
	membar();
}

bool
trial_active(void)
{
	return (trial.on && trial.thread == curthread);
}

bool
trial_has(const char *unit, const char *copy)
{
	for (uint_t i = 0; i < trial_nfuncs; i++)
		if (func_matches(&trial_funcs[i], unit) && find_copy(&trial_funcs[i], copy) != 0)
			return (true);
	return (false);
}

const char *
trial_selected(const char *unit)
{
	for (uint_t i = 0; i < trial_nfuncs && boot_state == BOOT_SOME; i++)
		if (boot_copy[i] != 0 && func_matches(&trial_funcs[i], unit))
			return (trial_funcs[i].tf_copies[boot_copy[i]].tc_name);
	return ("ref");
}

/* Is this the first function that has a copy of this name? */
static bool
first_of_name(uint_t func, const char *name)
{
	for (uint_t i = 0; i < func; i++)
		if (find_copy(&trial_funcs[i], name) != 0)
			return (false);
	return (true);
}

const char *
trial_copy_name(uint_t want)
{
	for (uint_t i = 0; i < trial_nfuncs; i++)
		for (uint_t c = 1; c < trial_funcs[i].tf_ncopies; c++) {
			const char *name = trial_funcs[i].tf_copies[c].tc_name;

			if (first_of_name(i, name) && want-- == 0)
				return (name);
		}
	return (NULL);
}

/* Number of a function, or trial_nfuncs. */
static uint_t
func_index(const char *func)
{
	uint_t i = 0;

	while (i < trial_nfuncs && strcmp(trial_funcs[i].tf_name, func) != 0)
		i++;
	return (i);
}

bool
trial_records(const char *func)
{
	return (func_index(func) < trial_nfuncs);
}

void *
trial_function(const char *func, const uintptr_t *args)
{
	uint_t i = func_index(func);

	return (i < trial_nfuncs ? trial_select(i, args) : NULL);
}

void
trial_forget(void)
{
	ncalls = 0;
}

static bool
call_matches(const struct trial_call *c, const char *func, uintptr_t a0, uintptr_t a1)
{
	return (strcmp(trial_funcs[c->tr_func].tf_name, func) == 0 && (a0 == TRIAL_ANY || a0 == c->tr_args[0]) &&
	    (a1 == TRIAL_ANY || a1 == c->tr_args[1]));
}

uint_t
trial_calls(const char *func, uintptr_t a0, uintptr_t a1)
{
	uint_t n = 0;

	for (uint32_t i = 0; i < MIN(ncalls, (uint32_t)TRIAL_NCALLS); i++)
		if (call_matches(&calls[i], func, a0, a1))
			n++;
	return (n);
}

const struct trial_call *
trial_last(const char *func)
{
	for (uint32_t i = 0; i < MIN(ncalls, (uint32_t)TRIAL_NCALLS); i++) {
		const struct trial_call *c = &calls[(ncalls - 1 - i) & (TRIAL_NCALLS - 1)];

		if (call_matches(c, func, TRIAL_ANY, TRIAL_ANY))
			return (c);
	}
	return (NULL);
}

void
trial_on_call(void (*fn)(const char *func, const uintptr_t *args))
{
	watch.on_call = fn;
}

uint_t
trial_calls_lost(void)
{
	return (ncalls > TRIAL_NCALLS ? ncalls - TRIAL_NCALLS : 0);
}
