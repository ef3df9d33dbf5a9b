/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What accompanies a running check: how it fails, and how a panic inside it becomes a failure.
 *
 * A check runs on a thread of its own. When the code under test cannot go on, control is thrown back to the frame that the
 * check was started from: mutexes are given back, preemption and HAT nesting set to what they were. That is only safe for what
 * works on the scratch hat, which is given up afterwards; so it happens only once a copy has been used (copy_on()), or where
 * the check says that it expects a panic.
 */
#include <check/check_impl.h>
#include <check/evidence.h>
#include <check/trial.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/thread.h>
#include <sys/tunable.h>

#define CHECK_GRACE 100 /**< ticks that an overdue check gets to reach a moment when it holds no lock */

struct check_run *check_current FRAMEWORK;
uint64_t check_ticks FRAMEWORK = 300;
uint64_t check_seed FRAMEWORK = 1;
static uint64_t random_state;

TUNABLE_NUMBER(check_ticks, "check_ticks", "ticks (10 ms) that one check may take");
TUNABLE_NUMBER(check_seed, "seed", "where all random numbers start");

/* ------------------------------------------------------------------ frames */

void
check_frame_push(struct check_frame *f, bool catch_all)
{
	kthread_t *t = curthread;

	memset(f, 0, sizeof(*f));
	f->cf_prev = t->t_check;
	f->cf_preempt = t->t_preempt;
	f->cf_hatdepth = t->t_hatdepth;
	f->cf_deadline = f->cf_prev != NULL ? f->cf_prev->cf_deadline : lbolt + check_ticks;
	f->cf_catch = catch_all;
	t->t_check = f;
}

void
check_frame_pop(struct check_frame *f)
{
	curthread->t_check = f->cf_prev;
}

static void
one_line(char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\n' || *s == '\r')
			*s = ' ';
}

/* Throw control back. What was taken since the frame was pushed is given back here; what was built is not undone. */
static void NORETURN
leave(const char *kind, const char *at, const char *text)
{
	kthread_t *t = curthread;
	struct check_frame *f = t->t_check;

	f->cf_kind = kind;
	strlcpy(f->cf_at, at, sizeof(f->cf_at));
	strlcpy(f->cf_text, text, sizeof(f->cf_text));
	one_line(f->cf_text);
	if (f->cf_prev == NULL)
		trial_end();
	thread_drop_locks();
	t->t_preempt = f->cf_preempt;
	t->t_hatdepth = f->cf_hatdepth;
	md_longjmp(&f->cf_jump, 1);
}

bool
check_active(void)
{
	struct check_frame *f = curthread->t_check;

	return (f != NULL && (f->cf_catch || trial_active()));
}

void
check_intercept(const char *kind, const char *file, int line, const char *text)
{
	char at[64] = "-";

	if (!check_active())
		return;
	if (file != NULL)
		snprintf(at, sizeof(at), "%s:%d", file, line);
	leave(kind, at, text);
}

/* ------------------------------------------------------------------ time */

extern const char trap_return[], trap_return_ask[]; /* where trap() returns to */

/* The pc that the tick interrupted: in the trapframe behind the first frame that returns to the trap's way out. */
static uintptr_t
interrupted_pc(void)
{
	uintptr_t fp = (uintptr_t)__builtin_frame_address(0), frame[2];
	struct trapframe tf;

	for (int i = 0; i < 16 && peek((void *)fp, frame, sizeof(frame)); i++) {
		if (frame[1] == (uintptr_t)trap_return || frame[1] == (uintptr_t)trap_return_ask)
			return (peek(md_frame_trap(fp), &tf, sizeof(tf)) ? tf_pc(&tf) : 0);
		fp = frame[0];
	}
	return (0);
}

/* A loop is cut where it holds nothing, if it comes to such a place in time: then nothing of the kernel is left half done. */
void
check_tick(void)
{
	kthread_t *t = curthread;
	struct check_frame *f = t->t_check;
	char text[96], at[48];

	if (f == NULL || lbolt < f->cf_deadline)
		return;
	if ((t->t_nlocks > 0 || t->t_preempt > f->cf_preempt) && lbolt < f->cf_deadline + CHECK_GRACE)
		return;
	symbol_format(at, sizeof(at), interrupted_pc());
	snprintf(text, sizeof(text), "still running after %llu ticks; stopped in %s", (unsigned long long)check_ticks, at);
	leave("time", at, text);
}

/* ------------------------------------------------------------------ for bodies of checks */

/* From now on the check answers for whatever panics in it: what the copy has done may surface in the reference later. */
void
copy_on(hat_t *hat)
{
	struct check_run *r = check_current;
	struct check_frame *f = curthread->t_check;

	f->cf_catch = true;
	f->cf_nlocks = curthread->t_nlocks;
	f->cf_copy_preempt = curthread->t_preempt;
	r->cr_uses = trial_begin(hat, r->cr_units, r->cr_copy);
	evidence_copy_on(r->cr_check, r->cr_uses);
}

/* What the copy forgot to give back is said here, where it is still clear who took it. */
void
copy_off(void)
{
	kthread_t *t = curthread;
	struct check_frame *f = t->t_check;
	char text[96];

	if (!trial_active())
		return;
	evidence_copy_off(check_current->cr_check, check_current->cr_uses);
	trial_end();
	if (t->t_nlocks == f->cf_nlocks && t->t_preempt == f->cf_copy_preempt)
		return;
	snprintf(text, sizeof(text), "returned with %d more mutexes held, preemption disabled %d more times",
	    t->t_nlocks - f->cf_nlocks, t->t_preempt - f->cf_copy_preempt);
	leave("wrong", "-", text);
}

void
check_wrong(const char *file, int line, const char *fmt, ...)
{
	char text[160], at[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(at, sizeof(at), "%s:%d", file, line);
	if (curthread->t_check == NULL)
		panic("check_wrong outside of a check: %s", text);
	leave("wrong", at, text);
}

void
check_equal(uint64_t have, uint64_t want, const char *what, const char *file, int line)
{
	if (have != want)
		check_wrong(file, line, "%s: have 0x%llx, want 0x%llx", what, (unsigned long long)have, (unsigned long long)want);
}

void
check_note(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	record("%%check-note name=%s text=%s\n", check_current != NULL ? check_current->cr_check->ck_name : "-", text);
}

/* Only panics and assertions are what the check waited for: anything else ends the check that is around this one. */
bool
check_panics(void (*fn)(void *), void *arg, char *text, size_t size)
{
	struct check_frame f;

	check_frame_push(&f, true);
	if (md_setjmp(&f.cf_jump) == 0)
		fn(arg);
	check_frame_pop(&f);
	if (f.cf_kind == NULL)
		return (false);
	if (strcmp(f.cf_kind, "panic") != 0 && strcmp(f.cf_kind, "assert") != 0)
		leave(f.cf_kind, f.cf_at, f.cf_text);
	strlcpy(text, f.cf_text, size);
	return (true);
}

/* Each check has numbers of its own, whatever ran before it. */
void
check_random_start(const char *name)
{
	random_state = check_seed * 0x9e3779b97f4a7c15ull + 1;
	for (; *name != '\0'; name++)
		random_state = (random_state ^ (uint8_t)*name) * 0x100000001b3ull;
	if (random_state == 0)
		random_state = 1;
}

/* xorshift64 [Marsaglia 2003]. */
uint64_t
check_random(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state % n);
}
