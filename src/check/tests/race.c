/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Races to order (see race.h).
 */
#include <check/check.h>
#include <check/tests/race.h>
#include <sys/atomic.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

static struct {
	struct race race;
	uint_t sides, round;
	volatile uint32_t arrived; /**< at all barriers so far */
	volatile uint32_t wrong;   /**< somebody has said so */
	char text[160];
	const char *file;
	int line;
} now;

void
race_wait(uint_t loops)
{
	while (loops-- > 0)
		__asm__ volatile("" : : : "memory");
}

void
race_wrong(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (atomic_swap_32(&now.wrong, 1) != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(now.text, sizeof(now.text), fmt, ap);
	va_end(ap);
	now.file = file;
	now.line = line;
}

/* The n-th barrier, counted from 1. */
static void
meet(uint32_t n)
{
	atomic_inc_32(&now.arrived);
	while (now.arrived < n * now.sides)
		pause();
}

/* No two sides' waits keep the same distance from one round to the next. */
static uint_t
delay(uint_t side, uint_t round)
{
	return (now.race.scale * ((7 * (side + 1) * round + side) % 32) + round / 32 * (side + 1));
}

static void
run_side(void *arg)
{
	uint_t side = (uint_t)(uintptr_t)arg;
	uint32_t n = 0;

	for (uint_t round = 0; round < now.race.rounds; round++) {
		meet(++n);
		race_wait(delay(side, round));
		now.race.fn(side, round);
		meet(++n);
		if (side == 0 && !now.wrong) {
			now.round = round;
			now.race.between(round);
		}
		meet(++n);
		if (now.wrong)
			break;
	}
}

uint_t
race_run(const struct race *r)
{
	kthread_t *t[RACE_SIDES];

	if (ncpus < 2) {
		check_note("needs more than one CPU");
		return (0);
	}
	memset(&now, 0, sizeof(now));
	now.race = *r;
	now.sides = MIN((uint_t)ncpus, RACE_SIDES);
	for (uint_t i = 0; i < now.sides; i++)
		t[i] = thread_create_on(cpu[i], "race", run_side, (void *)(uintptr_t)i);
	for (uint_t i = 0; i < now.sides; i++)
		thread_join(t[i]);
	if (now.wrong)
		check_wrong(now.file, now.line, "round %u: %s", now.round, now.text);
	return (now.sides);
}
