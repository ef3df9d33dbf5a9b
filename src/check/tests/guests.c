/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief An address space goes while somebody unmaps a page everywhere: hat_free_end() waits for him.
 *
 * hat_pageunload() comes to an address space through the page's list alone. As soon as it has taken its record off the list, the owner finds
 * nothing mapped and may free the space; but the table is still held, and will be released. That is a few dozen instructions: here side 2
 * stops side 1 by a cross-call, at all distances from its beginning, and if that is where it stands, side 0 frees the space.
 */
#include <check/check.h>
#include <check/tests/race.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define VA     ((uintptr_t)0x40000000)
#define ROUNDS 160u
#define STEP   4u    /* loops from one round to the next */
#define LONG   4000u /* loops; longer than it takes to free a space */

enum state { COMING, ELSEWHERE, STOPPED, FREED };

static hat_t *space;
static htable_t *table;
static page_t *page;
static volatile enum state state;
static uint_t stops; /* rounds in which it was stopped there */

/* On the unmapper's CPU, where it stands, interrupts off. */
static void
stop_there(uintptr_t a, uintptr_t b)
{
	(void)a;
	(void)b;
	if (page->p_mapping != NULL || table->ht_busy != 1) {
		state = ELSEWHERE;
		return;
	}
	state = STOPPED;
	stops++;
	for (uint_t n = 0; n < LONG && state == STOPPED; n++)
		race_wait(1);
	if (state != STOPPED) /* what it does next is anybody's guess */
		panic("guests-wait: an address space was freed while hat_pageunload() held a table of it");
}

static void
free_space(void)
{
	while (state == COMING)
		pause();
	while (state == ELSEWHERE && (page->p_mapping != NULL || table->ht_busy != 0))
		pause();
	hat_free_end(space);
	state = FREED;
	space = NULL;
}

static void
stop_it(uint_t round)
{
	race_wait(round * STEP);
	kpreempt_disable();
	xc_call(CPUSET(1), stop_there, 0, 0);
	kpreempt_enable();
}

static void
unload_or_free(uint_t side, uint_t round)
{
	if (side == 0)
		free_space();
	else if (side == 1)
		(void)hat_pageunload(page, HAT_FORCE_PGUNLOAD);
	else if (side == 2)
		stop_it(round);
}

/* One page is mapped, in a table that nobody holds; its owner has begun to free it, so an empty table stays in its place. */
static void
new_space(uint_t round)
{
	(void)round;
	state = COMING;
	space = hat_alloc(NULL);
	hat_memload(space, VA, page, PROT_READ | PROT_USER, HAT_LOAD);
	table = htable_lookup(space, VA, 0);
	htable_release(table);
	hat_free_start(space);
}

CHECK(guests_wait, "guests-wait", NULL, 0, 0, NULL, 0)
{
	static const struct race r = { unload_or_free, new_space, ROUNDS, 0 };

	(void)hat;
	if (ncpus < 3) {
		check_note("needs three CPUs");
		return;
	}
	page = page_get(PAGE_USER);
	check_true(page != NULL, "no page");
	stops = 0;
	new_space(0);
	(void)race_run(&r);
	check_true(stops > 0, "nobody was ever stopped between a record and its table");
	check_note("stopped there %u times", stops);
	(void)hat_pageunload(page, HAT_FORCE_PGUNLOAD);
	hat_free_end(space);
	page_free(page, 1);
}
