/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Thieves of page tables: whom they go to first, what they leave alone, what may change under their hands; and those who wait for them.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/thread.h>

#define LARGE LEVEL_SIZE(1)

static void
give_back(htable_t *loot)
{
	for (htable_t *next; loot != NULL; loot = next) {
		next = loot->ht_next;
		htable_free(loot);
	}
}

static bool
is_among(const htable_t *ht, const htable_t *loot)
{
	while (loot != NULL && loot != ht)
		loot = loot->ht_next;
	return (loot != NULL);
}

/** An address space with one page. */
static hat_t *
with_page(void)
{
	hat_t *hat = hat_alloc(&wide);

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	return (hat);
}

/** The table over VA, which nobody holds. */
static htable_t *
table_at(hat_t *hat, level_t level)
{
	htable_t *ht = htable_lookup(hat, VA, level);

	htable_release(ht);
	return (ht);
}

/* ------------------------------------------------------------------ in which order */

/** An empty table goes before one with a page, whichever is looked at first, and wherever in its address space it is. */
static void
empty_first(void)
{
	level_t kept = mmu.max_page_level; /* where an empty table stays */

	for (uint_t hand = 0; hand < HAT_NLOCKS && kept < mmu.max_level; hand++) {
		hat_t *poor = hat_alloc(&wide), *rich = with_page(); /* the newest one is the first in the list */
		htable_t *empty = htable_create(poor, VA, kept, NULL), *got;

		htable_release(empty);
		poor->hat_steal_hand = hand;
		got = htable_steal(1);
		expect(got == empty, "table %p was stolen, although %p is empty", (void *)got, (void *)empty);
		give_back(got);
		host_free_space(rich);
		host_free_space(poor);
	}
}

/** Cached tables go first, all of them, even if they are all of one address space, and others are there to give. */
static void
cached_first(void)
{
	hat_t *rich = with_page(), *poor[2];
	htable_t *t[3], *got;
	uint_t n = 0;

	for (uint_t i = 0; i < NELEM(poor); i++)
		poor[i] = hat_alloc(&wide);
	for (uint_t i = 0; i < NELEM(t); i++)
		t[i] = htable_alloc(rich, VA, 0, NULL);
	for (uint_t i = 0; i < NELEM(t); i++)
		htable_free(t[i]);
	got = htable_steal(NELEM(t));
	for (uint_t i = 0; i < NELEM(t); i++)
		n += is_among(t[i], got);
	expect(n == NELEM(t) && hat_probe(rich, VA), "%u of %u cached tables are stolen", n, (uint_t)NELEM(t));
	give_back(got);
	for (uint_t i = 0; i < NELEM(poor); i++)
		host_free_space(poor[i]);
	host_free_space(rich);
}

/** Ranks are hints: a table that has none is found, too. */
static void
no_hint(void)
{
	hat_t *hat = with_page();
	htable_t *ht = table_at(hat, 0), *got;

	htable_rank_none(ht);
	got = htable_steal(1);
	expect(got == ht, "table %p was stolen instead of %p, of which no rank tells", (void *)got, (void *)ht);
	give_back(got);
	host_free_space(hat);
}

/* ------------------------------------------------------------------ what is left alone */

static uint_t exchanges;

static void
count_exchange(volatile void *p)
{
	(void)p;
	exchanges++;
	host_before_cas = count_exchange;
}

/** With a locked page a table is not even touched: who uses it would wait, and CPUs would flush. */
static void
locked_alone(void)
{
	hat_t *hat = hat_alloc(&wide);
	htable_t *got;

	hat_memload(hat, VA, page, RW, HAT_LOAD_LOCK);
	rob_all(); /* tables that are kept though they are empty */
	exchanges = 0;
	host_before_cas = count_exchange;
	got = htable_steal(1);
	host_before_cas = NULL;
	expect(
	    got == NULL && exchanges == 0, "a table with a locked page: %p was stolen, %u entries changed", (void *)got, exchanges);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD_UNLOCK);
	host_free_space(hat);
}

/** An empty table goes from below a directory that is current: whoever keeps copies of its entries has the new ones. */
static void
below_directory(hat_t *old)
{
	hat_t *hat = hat_alloc(&narrow);

	hat_setup(hat);
	htable_release(htable_create(hat, VA, MIN(1, mmu.max_level - 1), NULL));
	rob_all();
	host_sound("a table went from below a directory");
	hat_setup(old);
	host_free_space(hat);
}

/* ------------------------------------------------------------------ what changes meanwhile */

static hat_t *victim;
static htable_t *emptied;
static uintptr_t behind; /* the page whose table is the next in the chain */
static bool wanted;

/** While the lock is dropped: the next table in the chain goes, and somebody may want the one that is being emptied. */
static void
next_goes(void)
{
	if (curthread->t_preempt > 0 || !(emptied->ht_flags & HTABLE_CUT))
		return;
	host_between = NULL;
	if (wanted)
		htable_acquire(emptied);
	hat_unload(victim, behind, PAGESIZE, HAT_UNLOAD);
}

static htable_t **
chain_of(uintptr_t va)
{
	return (htable_bucket(victim, htable_hash(victim, va, 0)));
}

/** Two tables in one chain, each with a page: the one of VA before the one of `behind`. */
static bool
two_in_chain(void)
{
	hat_memload(victim, behind, page, RW, HAT_LOAD);
	hat_memload(victim, VA, page, RW, HAT_LOAD);
	emptied = table_at(victim, 0);
	return (chain_of(behind) == chain_of(VA) && emptied->ht_next != NULL && emptied->ht_next->ht_vaddr == behind);
}

/** The thief goes on with what is in the chain then, whether he got the first table or not. */
static void
chain_changes(bool too)
{
	htable_t *got;

	if (mmu.max_page_level == 0)
		return; /* the next one would stay */
	victim = hat_alloc(&wide);
	wanted = too;
	for (behind = VA + LARGE; !two_in_chain(); behind += LARGE)
		host_unload_user(victim);
	host_between = next_goes;
	got = htable_steal(10); /* several from each */
	expect(host_between == NULL, "nothing was emptied");
	expect(is_among(emptied, got) == !too, "a table that somebody %s", too ? "wanted was stolen" : "did not want was left");
	if (too)
		htable_release(emptied);
	give_back(got);
	host_sound("a chain changed under a thief's hands");
	host_free_space(victim);
}

void
test_steal(void)
{
	hat_t *hat;

	host_boot();
	page = page_get(PAGE_USER);
	hat = hat_alloc(&wide);
	hat_setup(hat);
	rob_all();
	empty_first();
	cached_first();
	no_hint();
	locked_alone();
	below_directory(hat);
	chain_changes(false);
	chain_changes(true);
	short_run(hat);
	hat_setup(NULL);
	host_free_space(hat);
	page_free(page, 1);
	host_sound("at the end");
	printf("steal: the order, what is left alone, what changes meanwhile; when memory is short\n");
}
