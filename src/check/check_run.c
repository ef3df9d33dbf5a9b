/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Choosing checks and copies, running each one, and what happens to its scratch hat.
 *
 * A check that passed gives its hat back through the reference, and everything must be sound afterwards. A check that
 * failed leaves a hat of which nothing may be believed: it is taken off the list without a look at its tables and given up
 * with all it has, and everything else must be sound. If it is not, the damage has left the scratch hat, results of further
 * checks would mean nothing, and the run ends.
 */
#include <check/check_impl.h>
#include <check/costs.h>
#include <check/damage.h>
#include <check/evidence.h>
#include <check/invariants.h>
#include <check/outside.h>
#include <check/scratch.h>
#include <check/stress.h>
#include <check/trial.h>
#include <hat/dump_table.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/tunable.h>

extern const struct check __start_checks[], __stop_checks[];

#define CHECK_MAX 1024
#define RUNS_MAX  8 /* threads that never come back keep theirs */

static char checks_wanted[256] FRAMEWORK;
static char copy_wanted[32] FRAMEWORK = "mine";
static char results_word[400] FRAMEWORK; /* the command line has room for no more */
static uint64_t together_wanted FRAMEWORK;
static uint64_t seeds_wanted FRAMEWORK = 1;
TUNABLE_STRING(checks_wanted, "checks", "NAME[,NAME...], labN or all: run these checks");
TUNABLE_STRING(copy_wanted, "copy", "which copy of a unit checks use (default mine); all: each one in the image");

TUNABLE_STRING(results_word, "results",
    "what an earlier boot said, a letter for each check in the order of the table: o ok, w wrong, t todo, - not run");
TUNABLE_NUMBER(together_wanted, "together", "once all checks have passed, run them again with all units of copy= in use at once");
TUNABLE_NUMBER(seeds_wanted, "seeds", "run the checks with so many seeds, from seed= on; a failed one is not run with another");
static uint64_t judge_each FRAMEWORK = 1;
TUNABLE_NUMBER(judge_each, "judge_each",
    "0: judge what is global once after the last check that passed, not after each (faster; who did it is not told)");

static uint_t nok, nwrong, ntodo;

static struct {
	/* With this copy, by place in the table: 1 + what evidence_end() gets; 0: has not run. */
	uint8_t results[CHECK_MAX];
	struct check_run runs[RUNS_MAX];
	uint_t nruns;  /* given away for ever */
	bool together; /* all units at once, now */
} framework FRAMEWORK;

static const char *const result_names[] = { NULL, "ok", "wrong", "todo" };

static const char *
result_of(const struct check *c)
{
	return (result_names[framework.results[c - __start_checks]]);
}

static void
keep_result(const struct check *c, const char *result)
{
	uint8_t n = 0;

	while (n < NELEM(result_names) - 1 && (result_names[n] == NULL || strcmp(result_names[n], result) != 0))
		n++;
	framework.results[c - __start_checks] = n;
}

/* ------------------------------------------------------------------ words */

static bool
is_word(const char *p, size_t n, const char *word)
{
	return (strlen(word) == n && strncmp(p, word, n) == 0);
}

/* Next word of a list: its length; *p moves past the separator, *word is where it started. */
static size_t
next_word(const char **p, const char **word, char separator)
{
	size_t n = 0;

	*word = *p;
	while (**p != '\0' && **p != separator) {
		(*p)++;
		n++;
	}
	if (**p != '\0')
		(*p)++;
	return (n);
}

static bool
word_wants(const char *word, size_t n, const struct check *c)
{
	char lab[8];

	snprintf(lab, sizeof(lab), "lab%u", c->ck_lab);
	return (is_word(word, n, "all") || is_word(word, n, lab) || is_word(word, n, c->ck_name) ||
	    ((c->ck_flags & CK_BOOT) && is_word(word, n, "boot")));
}

static bool
is_wanted(const struct check *c)
{
	const char *p = checks_wanted, *word;
	size_t n;

	while ((n = next_word(&p, &word, ',')) > 0)
		if (word_wants(word, n, c))
			return (true);
	return (false);
}

/* A misspelled name must not look like a check that passed. */
static bool
words_known(void)
{
	const char *p = checks_wanted, *word;
	size_t n;

	while ((n = next_word(&p, &word, ',')) > 0) {
		bool known = false;

		for (const struct check *c = __start_checks; c < __stop_checks; c++)
			known = known || word_wants(word, n, c);
		if (!known) {
			printf("hatlab: no check is called \"%.*s\"\n", (int)n, word);
			return (false);
		}
	}
	return (true);
}

/* ------------------------------------------------------------------ the scratch hat */

static hat_t *
scratch_make(const struct check *c)
{
	return (c->ck_flags & CK_BARE ? hat_create_bare(NULL) : hat_alloc(NULL));
}

hat_t *
check_hat(void)
{
	struct check_run *r = check_current;
	uint_t n = 0;

	while (n < CHECK_NHATS && r->cr_more[n] != NULL)
		n++;
	ASSERT(n < CHECK_NHATS);
	return (r->cr_more[n] = hat_alloc(NULL));
}

void
check_finally(void (*fn)(void))
{
	check_current->cr_finally = fn;
}

/* The check is over. */
static void
finally(struct check_run *r)
{
	void (*fn)(void) = r->cr_finally;

	r->cr_finally = NULL;
	if (fn != NULL)
		fn();
}

static void
hat_end(hat_t *hat)
{
	hat_free_start(hat);
	hat_free_end(hat);
}

static void
scratch_free(struct check_run *r)
{
	hat_t *hat = r->cr_hat;

	atomic_inc_32(&htable_dont_cache); /* no other address space gets tables that a copy may still think it has */
	if (r->cr_check->ck_flags & CK_BARE) {
		hat->hat_flags |= HAT_FREEING;
		htable_purge_hat(hat);
		hat_destroy_bare(hat);
	} else {
		hat_end(hat);
	}
	for (uint_t i = 0; i < CHECK_NHATS && r->cr_more[i] != NULL; i++)
		hat_end(r->cr_more[i]);
	atomic_dec_32(&htable_dont_cache);
	r->cr_hat = NULL;
}

/* Off the list, found from the list's own side: the hat's links may be as broken as the rest of it. */
static void
scratch_abandon(hat_t *hat)
{
	hat_t *prev = NULL;

	mutex_enter(&hat_list_lock);
	for (hat_t *h = kas_hat->hat_next; h != NULL && h != hat; h = h->hat_next)
		prev = h;
	if ((prev == NULL ? kas_hat->hat_next : prev->hat_next) == hat) {
		hat_t *next = hat->hat_next;

		if (prev == NULL)
			kas_hat->hat_next = next;
		else
			prev->hat_next = next;
		if (next == NULL)
			kas_hat->hat_prev = prev;
		else
			next->hat_prev = prev;
	}
	mutex_exit(&hat_list_lock);
}

/* ------------------------------------------------------------------ one check, on its own thread */

static void
set_result(struct check_run *r, const char *result, const char *at, const char *text)
{
	r->cr_result = result;
	strlcpy(r->cr_at, at, sizeof(r->cr_at));
	strlcpy(r->cr_text, text, sizeof(r->cr_text));
}

/* Why a frame was returned to, as a result. */
static void
frame_result(struct check_run *r, const struct check_frame *f)
{
	char text[192];

	if (f->cf_kind == NULL) {
		set_result(r, "ok", "-", "");
	} else if (strcmp(f->cf_kind, "todo") == 0) {
		set_result(r, "todo", f->cf_at, f->cf_text);
	} else if (strcmp(f->cf_kind, "wrong") == 0 || strcmp(f->cf_kind, "time") == 0) {
		set_result(r, "wrong", f->cf_at, f->cf_text);
	} else {
		snprintf(text, sizeof(text), "%s: %s", f->cf_kind, f->cf_text);
		set_result(r, "wrong", f->cf_at, text);
	}
}

static void
judge(struct check_run *r, hat_t *only, const char *when)
{
	char text[96];
	uint_t n;

	kmem_reap_settle(); /* it may be returning tables just now */
	n = only != NULL ? check_invariants_hat(only) : check_invariants();
	if (n > 0) {
		snprintf(text, sizeof(text), "%s: %u broken invariants, see above", when, n);
		set_result(r, "wrong", "-", text);
	}
}

static void
run_body(struct check_run *r)
{
	struct check_frame f;

	check_frame_push(&f, false);
	if (md_setjmp(&f.cf_jump) == 0)
		r->cr_check->ck_func(r->cr_hat);
	trial_end();
	dump_listener = NULL;
	check_frame_pop(&f);
	frame_result(r, &f);
	finally(r);
}

/* Every address space of the check, up to the first one with anything broken. */
static void
judge_hats(struct check_run *r, const char *when)
{
	judge(r, r->cr_hat, when);
	for (uint_t i = 0; i < CHECK_NHATS && r->cr_more[i] != NULL && strcmp(r->cr_result, "ok") == 0; i++)
		judge(r, r->cr_more[i], when);
}

/* The check passed, but what it left behind may still make the reference stumble. */
static void
run_cleanup(struct check_run *r)
{
	struct check_frame f;

	/* A bare hat is not listed: its tables would be missed. Labs have many checks, and what is global is judged below. */
	if (r->cr_check->ck_lab != 0 && !(r->cr_check->ck_flags & CK_BARE))
		judge_hats(r, "after the check");
	else if (!(r->cr_check->ck_flags & CK_BARE))
		judge(r, NULL, "after the check");
	if (strcmp(r->cr_result, "ok") != 0)
		return;
	check_frame_push(&f, true);
	if (md_setjmp(&f.cf_jump) == 0)
		scratch_free(r);
	check_frame_pop(&f);
	if (f.cf_kind != NULL)
		frame_result(r, &f);
	else if (judge_each)
		judge(r, NULL, "after the scratch address space was given back");
}

static void
run_thread(void *arg)
{
	struct check_run *r = arg;

	evidence_begin(r->cr_check, framework.together);
	run_body(r);
	hat_setup(NULL);
	if (strcmp(r->cr_result, "ok") == 0)
		run_cleanup(r);
	r->cr_done = true;
}

/* ------------------------------------------------------------------ seen from outside */

/* A thread that sleeps for ever keeps its mutexes. Those inside the scratch hat are given up with it, others are missed. */
static bool
holds_foreign_lock(const kthread_t *t, const hat_t *hat)
{
	for (int i = 0; i < t->t_nlocks; i++) {
		uintptr_t lock = (uintptr_t)t->t_locks[i];

		if (lock < (uintptr_t)hat || lock >= (uintptr_t)(hat + 1))
			return (true);
	}
	return (false);
}

/* What a lock is, in words. */
static void
lock_name(char *text, size_t size, const kmutex_t *m, const hat_t *hat)
{
	char at[48];

	for (uint_t i = 0; i < HAT_NLOCKS; i++)
		if (m == &hat->hat_chains[i].hc_lock) {
			snprintf(text, size, "table lock %u of the address space", i);
			return;
		}
	symbol_format(at, sizeof(at), (uintptr_t)m);
	snprintf(text, size, "%s", at);
}

/* A thread's newest mutex may be the one that it waits for: then somebody else owns it. */
static void
say_asleep(const kthread_t *t, struct check_run *r)
{
	char text[192] = "asleep for ever: nobody wakes it", name[64];
	size_t n;

	for (int i = 0; i < t->t_nlocks; i++) {
		const kthread_t *owner = t->t_locks[i]->m_owner;

		if (owner == t || owner == NULL)
			continue;
		lock_name(name, sizeof(name), t->t_locks[i], r->cr_hat);
		snprintf(text, sizeof(text), "deadlock: waits for %s, which thread %s holds", name, owner->t_name);
	}
	for (int i = 0; i < t->t_nlocks; i++) {
		if (t->t_locks[i]->m_owner != t)
			continue;
		n = strlen(text);
		lock_name(name, sizeof(name), t->t_locks[i], r->cr_hat);
		snprintf(text + n, sizeof(text) - n, "; holds %s", name);
	}
	set_result(r, "wrong", "-", text);
}

static void print_result(const struct check_run *r);

static void NORETURN
unsound(const struct check_run *r, const char *why)
{
	print_result(r);
	printf("hatlab: the kernel itself is no longer sound: %s\n", why);
	evidence_end(r->cr_check, 1); /* wrong */
	run_done("fail");
}

/* Wait for the check's thread. One that neither ends nor runs into its deadline sleeps, and is left behind. */
static bool
wait_for(kthread_t *t, struct check_run *r)
{
	uint64_t patience = lbolt + 2 * check_ticks + 200, soon = lbolt + 5;

	while (!r->cr_done && lbolt < patience) {
		if (lbolt < soon)
			thread_yield();
		else
			thread_delay(1); /* a long one gets this CPU too */
	}
	if (r->cr_done) {
		thread_join(t);
		return (true);
	}
	trial_end();
	say_asleep(t, r);
	finally(r);
	if (holds_foreign_lock(t, r->cr_hat))
		unsound(r, "the check sleeps and holds a lock of the kernel");
	return (false);
}

static void
give_up_hat(struct check_run *r)
{
	if (r->cr_hat == NULL)
		unsound(r, "what the check left behind outlived its address space");
	scratch_abandon(r->cr_hat);
	for (uint_t i = 0; i < CHECK_NHATS && r->cr_more[i] != NULL; i++)
		scratch_abandon(r->cr_more[i]);
	htable_dont_cache = 0; /* a purge that did not come to its end has left it raised */
	use_boot_reserve = 0;  /* so may a check that was cut short */
	if (!invariants_abandon())
		unsound(r, "the counts of tables are lower than the tables that exist");
	if (judge_each && check_invariants() > 0)
		unsound(r, "invariants outside of the scratch address space are broken");
}

static void
print_begin(const struct check_run *r)
{
	const struct check *c = r->cr_check;

	record("%%check-begin name=%s unit=%s copy=%s\n", c->ck_name, c->ck_unit != NULL ? c->ck_unit : "-", r->cr_copy);
}

static void
print_result(const struct check_run *r)
{
	const struct check *c = r->cr_check;

	if (strcmp(r->cr_result, "ok") == 0) {
		nok++;
		record("%%check-end name=%s result=ok at=-\n", c->ck_name);
	} else {
		*(strcmp(r->cr_result, "todo") == 0 ? &ntodo : &nwrong) += 1;
		record("%%check-end name=%s result=%s at=%s text=%s\n", c->ck_name, r->cr_result, r->cr_at, r->cr_text);
	}
	printf("check %s (%s, copy %s): %s%s%s\n", c->ck_name, c->ck_unit != NULL ? c->ck_unit : "-", r->cr_copy, r->cr_result,
	    r->cr_text[0] != '\0' ? ": " : "", r->cr_text);
}

static void
run_one(const struct check *c, const char *copy)
{
	struct check_run *r = &framework.runs[framework.nruns];
	kthread_t *t;

	watchdog_restart();
	memset(r, 0, sizeof(*r));
	r->cr_check = c;
	r->cr_copy = copy;
	r->cr_units = framework.together ? "all" : c->ck_unit != NULL ? c->ck_unit : "-";
	print_begin(r);
	r->cr_hat = scratch_make(c);
	check_current = r;
	outside_start();
	scratch_start();
	check_random_start(c->ck_name);
	t = thread_create("check", run_thread, r);
	if (wait_for(t, r))
		t = NULL;
	if (strcmp(r->cr_result, "ok") != 0)
		give_up_hat(r);
	check_current = NULL;
	print_result(r);
	keep_result(c, r->cr_result);
	evidence_end(c, (ulong_t)framework.results[c - __start_checks] - 1);
	if (t != NULL && ++framework.nruns == RUNS_MAX)
		unsound(r, "too many checks are asleep for ever");
}

/* Labs in turn, then as written; two files may have a check in the same line: then by place in the table. */
static bool
before(const struct check *a, const struct check *b)
{
	uint32_t x = (uint32_t)a->ck_lab << 16 | a->ck_line, y = (uint32_t)b->ck_lab << 16 | b->ck_line;

	return (x < y || (x == y && a < b));
}

/* One broken thing is reported once: what builds on a check that failed is not run. */
static const struct check *
missing_need(const struct check *c)
{
	const char *p = c->ck_needs, *word;
	size_t n;

	while (p != NULL && (n = next_word(&p, &word, ' ')) > 0)
		for (const struct check *o = __start_checks; o < __stop_checks; o++) {
			const char *result = result_of(o);

			if (is_word(word, n, o->ck_name) && result != NULL && strcmp(result, "ok") != 0)
				return (o);
		}
	return (NULL);
}

/* It ends as the one that it needs did: behind a stub there are only things to do. */
static void
skip(const struct check *c, const char *copy, const struct check *need)
{
	struct check_run r = { .cr_check = c, .cr_copy = copy };
	char text[96];

	snprintf(text, sizeof(text), "not run: %s must pass first", need->ck_name);
	set_result(&r, result_of(need), "-", text);
	keep_result(c, r.cr_result);
	print_begin(&r);
	print_result(&r);
}

static void
run_or_skip(const struct check *c, const char *copy)
{
	const struct check *need = missing_need(c);

	if (need == NULL)
		run_one(c, copy);
	else
		skip(c, copy, need);
}

/* The compiler puts them into the table in an order of its own; people read them as they were written. */
static const struct check *
next_in_order(const struct check *after)
{
	const struct check *next = NULL;

	for (const struct check *c = __start_checks; c < __stop_checks; c++)
		if ((after == NULL || before(after, c)) && (next == NULL || before(c, next)))
			next = c;
	return (next);
}

/*
 * The copy that a check is run with: the one asked for where its unit has it, else what is linked, unless each copy is tried in
 * turn (NULL: not now). What happened at power-on is judged for the copy that did it.
 */
static const char *
copy_for(const struct check *c, const char *copy, bool only_units_with_it)
{
	if (c->ck_unit == NULL || !trial_has(c->ck_unit, copy))
		copy = only_units_with_it ? NULL : "ref";
	if (framework.together && (c->ck_flags & (CK_BOOT | CK_ALONE)))
		copy = NULL;
	if (copy != NULL && (c->ck_flags & CK_BOOT) && strcmp(copy, trial_selected(c->ck_unit)) != 0)
		copy = NULL;
	return (copy);
}

static void
run_with(const char *wanted, bool only_units_with_it)
{
	const char *copy;

	for (const struct check *c = NULL; (c = next_in_order(c)) != NULL;)
		if (is_wanted(c) && result_of(c) == NULL && (copy = copy_for(c, wanted, only_units_with_it)) != NULL)
			run_or_skip(c, copy);
}

/* What the host knows already: from a boot that ended early. */
static void
know_results(void)
{
	for (const char *p = results_word; *p != '\0'; p++)
		if (p - results_word < __stop_checks - __start_checks)
			framework.results[p - results_word] = *p == 'o' ? 1 : *p == 'w' ? 2 : *p == 't' ? 3 : 0;
}

extern uint64_t check_seed;

static void
run_more_seeds(void)
{
	for (uint64_t i = 1; i < seeds_wanted; i++) {
		check_seed++;
		for (uint_t k = 0; k < CHECK_MAX; k++)
			if (framework.results[k] == 1) /* ok */
				framework.results[k] = 0;
		run_with(copy_wanted, false);
	}
}

static bool
all_ok(void)
{
	for (const struct check *c = __start_checks; c < __stop_checks; c++)
		if (result_of(c) != NULL && strcmp(result_of(c), "ok") != 0)
			return (false);
	return (true);
}

/* Each check again, with every unit that has such a copy in use at once. The first that fails says enough. */
static void
run_together(const char *wanted)
{
	const char *copy;

	memset(framework.results, 0, sizeof(framework.results));
	framework.together = true;
	for (const struct check *c = NULL; (c = next_in_order(c)) != NULL && all_ok();)
		if (is_wanted(c) && (copy = copy_for(c, wanted, true)) != NULL)
			run_or_skip(c, copy);
}

static void
run_checks(void)
{
	const char *name;

	ASSERT(__stop_checks - __start_checks <= CHECK_MAX);
	if (!words_known())
		run_done("fail");
	if (strcmp(copy_wanted, "all") != 0) {
		know_results();
		run_with(copy_wanted, false);
		run_more_seeds();
		if (together_wanted != 0 && all_ok())
			run_together(copy_wanted);
	} else {
		run_with("ref", false);
		for (uint_t i = 0; (name = trial_copy_name(i)) != NULL; i++) {
			memset(framework.results, 0, sizeof(framework.results));
			run_with(name, true);
		}
	}
	printf("checks: %u ok, %u wrong, %u not written yet\n", nok, nwrong, ntodo);
	if (!judge_each && check_invariants() > 0) {
		printf("hatlab: a check has left broken invariants behind: run them with judge_each=1 to see which\n");
		run_done("fail");
	}
}

bool
check_wanted(void)
{
	return (checks_wanted[0] != '\0' || damage_wanted() || costs_wanted() || stress_wanted());
}

void
check_main(void)
{
	invariants_init();
	if (damage_wanted())
		damage_main();
	if (costs_wanted())
		costs_main();
	if (stress_wanted())
		stress_main();
	if (checks_wanted[0] != '\0')
		run_checks();
}
