/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What is done when memory is short: waiting, refusals on purpose, reserves that are too full; and frames that nobody can use.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <sys/thread.h>

/* ------------------------------------------------------------------ waiting */

#define REFUSED 30

static struct {
	uint_t yields, n;
	uint64_t at, longest;
} waits;

/** After each wait: it was no shorter than those before. */
static void
note_wait(void)
{
	uint64_t ticks = lbolt - waits.at;

	if (host_yields == waits.yields)
		return;
	expect(ticks >= waits.longest, "wait %u was of %llu ticks, one before of %llu", waits.n, (unsigned long long)ticks,
	    (unsigned long long)waits.longest);
	waits.yields = host_yields;
	waits.at = lbolt;
	waits.longest = ticks;
	waits.n++;
}

/** C-4: nothing to be had, nothing to be stolen, again and again: a wait before each new attempt, and longer ones in time. */
static void
waits_longer(hat_t *hat)
{
	htable_t *ht;

	rob_all();
	waits.yields = host_yields;
	waits.at = lbolt;
	waits.longest = waits.n = 0;
	host_refuse = REFUSED;
	host_between = note_wait;
	ht = htable_alloc_fallback(hat, true);
	host_between = NULL;
	expect(ht != NULL && host_refuse == 0, "no object, and %u refusals to come", host_refuse);
	expect(waits.n >= REFUSED, "%u waits between %u attempts", waits.n, REFUSED + 1);
	expect(waits.longest > 0, "others may run, but time does not pass");
	htable_object_put(ht);
}

/* ------------------------------------------------------------------ frames */

/** B14: force_steal has to be 2 at least; then one of so many requests fails, and one more. */
static void
refused_on_purpose(void)
{
	uint64_t force = force_steal;

	for (uint_t every = 1; every <= 3; every++) {
		uint_t refused = 0;

		force_steal = every;
		ptable_cnt = 0;
		for (uint_t i = 0; i < 12; i++) {
			pfn_t pfn = ptable_alloc(0);

			if (pfn == PFN_INVALID)
				refused++;
			else
				ptable_free(pfn);
		}
#ifdef DEBUG
		expect(refused == (every == 1 ? 0 : 12 / (every + 1)), "force_steal %u: %u of 12 requests refused", every, refused);
#endif
		(void)refused;
	}
	force_steal = force;
}

static void
get_frame(void *arg)
{
	*(pfn_t *)arg = ptable_alloc(0);
}

/** B15: a page that says of itself that there is none. */
static void
no_frame(void)
{
	page_t *pp = page_get(PAGE_USER);
	pfn_t was = pp->p_pagenum, pfn = 0;
	char text[160] = "";

	page_free(pp, 1); /* it is the next one */
	pp->p_pagenum = PFN_INVALID;
	expect(machine_try(get_frame, &pfn, text, sizeof(text)) && strncmp(text, "ptable_alloc: page ", 19) == 0,
	    "a page without a frame was given as frame 0x%lx: %s", pfn, text);
	panicstr = NULL;
	pp->p_pagenum = was;
	expect(page_tryupgrade(pp), "the page's lock");
	page_free(pp, 1);
	page_unresv(1);
}

/* ------------------------------------------------------------------ reserves */

/** B40: whoever reaps trims both. */
static void
reap_trims(void)
{
	uint64_t tables = htable_reserve_amount, records = hment_reserve_amount;

	htable_reserve_amount = htable_reserve_cnt - 3;
	hment_reserve_amount = hment_reserve_cnt - 5;
	htable_reap(NULL);
	expect(htable_reserve_cnt == htable_reserve_amount, "%u objects in the reserve of tables", htable_reserve_cnt);
	expect(hment_reserve_cnt == hment_reserve_amount, "%u objects in the reserve of records", hment_reserve_cnt);
	htable_reserve_amount = tables;
	hment_reserve_amount = records;
}

void
short_run(hat_t *hat)
{
	waits_longer(hat);
	refused_on_purpose();
	no_frame();
	reap_trims();
}
