/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Entries are loaded whole, while another CPU changes them.
 *
 * One CPU turns an entry of 8 bytes, whose two values differ in both halves, over and over; another one loads it. Bochs
 * gives each CPU five instructions in turn, always the same way, so that both sides' loops are run at many lengths.
 */
#include <check/check.h>
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

#define ONE    0x1111111011111110ull /* not valid, in either half */
#define TWO    0x2222222022222220ull
#define DELAYS 12u
#define LOADS  60u

static x86pte_t entry ALIGNED(8);
static volatile uint_t delay;
static volatile bool stop, running;

static void
wait_a_little(uint_t n)
{
	while (n-- > 0)
		__asm__ volatile("" : : : "memory");
}

/* The values that an entry of this mode can have. */
static x86pte_t
narrowed(x86pte_t e)
{
	return (mmu.pae_hat ? e : (x86pte32_t)e);
}

static void
turn(void *arg)
{
	x86pte_t one = narrowed(ONE), two = narrowed(TWO);

	(void)arg;
	running = true;
	while (!stop) {
		(void)pte_cas(&entry, one, two);
		wait_a_little(delay);
		(void)pte_cas(&entry, two, one);
		wait_a_little(delay);
	}
}

static uint_t seen[2];

/* LOADS loads; the first one that is neither value, or 0. */
static x86pte_t
load_many(uint_t pace)
{
	for (uint_t i = 0; i < LOADS; i++) {
		x86pte_t e = pte_load(&entry);

		if (e != narrowed(ONE) && e != narrowed(TWO))
			return (e);
		seen[e == narrowed(TWO)]++;
		wait_a_little(pace);
	}
	return (0);
}

CHECK(untorn, "untorn", NULL, 0, 0, NULL, 0)
{
	kthread_t *t;
	x86pte_t torn = 0;

	(void)hat;
	if (ncpus < 2)
		return;
	entry = narrowed(ONE);
	stop = running = false;
	seen[0] = seen[1] = 0;
	t = thread_create_on(cpu[1], "turn", turn, NULL);
	while (!running)
		thread_yield();
	for (uint_t i = 0; i < DELAYS * DELAYS && torn == 0; i++) {
		delay = i / DELAYS;
		torn = load_many(i % DELAYS);
	}
	stop = true;
	thread_join(t);
	check_true(torn == 0, "half of one and half of another: 0x%llx", (unsigned long long)torn);
	check_true(seen[0] > 0 && seen[1] > 0, "the entry did not change: seen %u and %u times", seen[0], seen[1]);
	check_note("seen %u and %u times", seen[0], seen[1]);
}
