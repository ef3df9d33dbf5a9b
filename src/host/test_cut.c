/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Tables on their way: cut off and put back, or gone; counted for the stealer; left for the next address space.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/thread.h>

#define LARGE  LEVEL_SIZE(1)
#define OTHER  (VA + 8 * LARGE)
#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */

/* ------------------------------------------------------------------ by a thief */

static void
cut(htable_t *ht, void (*fn)(htable_t *))
{
	uint_t h = htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level);

	mutex_enter(htable_lock(ht->ht_hat, h));
	fn(ht);
	mutex_exit(htable_lock(ht->ht_hat, h));
}

/** A table below the directory comes back for the CPU that runs it, which keeps its own copy of the link. */
static void
uncut_directory(hat_t *old)
{
	hat_t *hat = hat_alloc(&narrow);
	htable_t *ht;
	paddr_t pa;

	hat_setup(hat);
	hat_memload(hat, VA, page, RW, HAT_LOAD);
	ht = htable_lookup(hat, VA, MIN(1, mmu.max_level - 1));
	cut(ht, htable_cut);
	expect(mmu_access(VA, MMU_USER, &pa) != 0, "a page below a table that is cut off can be read");
	cut(ht, htable_uncut);
	expect(mmu_access(VA, MMU_USER, &pa) == 0, "a page below a table that was put back cannot be read");
	htable_release(ht);
	hat_setup(old);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	host_free_space(hat);
}

/** Whoever is emptying a table stops when an entry is locked. */
static void
cut_locked(hat_t *hat)
{
	htable_t *ht;

	for (uint_t i = 0; i < 2; i++)
		hat_memload(hat, VA + i * PAGESIZE, page, RW, HAT_LOAD);
	ht = htable_lookup(hat, VA, 0);
	cut(ht, htable_cut);
	ht->ht_lock_cnt = 1;
	htable_cut_empty(ht);
	expect(ht->ht_valid_cnt == 2, "a table with a locked page is emptied");
	ht->ht_lock_cnt = 0;
	cut(ht, htable_uncut);
	htable_release(ht);
	hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
}

static void
same_rank(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	uint_t hand = hat->hat_steal_hand;
	uint32_t were;

	htable_rank_none(ht);
	were = hat->hat_ranks[HTABLE_RANK_EMPTY];
	for (uint_t i = 0; i < 2; i++) {
		htable_rank_follow(ht);
		expect(hat->hat_ranks[HTABLE_RANK_EMPTY] == were + 1, "followed %u times, counted %u times", i + 1,
		    hat->hat_ranks[HTABLE_RANK_EMPTY] - were);
	}
	htable_rank_none(ht);
	expect(hat->hat_ranks[HTABLE_RANK_EMPTY] == were, "and never uncounted");
	ht->ht_rank = HTABLE_NRANKS; /* whoever has made it did not know of ranks */
	htable_rank_none(ht);
	expect(hat->hat_steal_hand == hand && ht->ht_rank == HTABLE_RANK_NONE,
	    "a rank that does not exist is counted, behind the others");
	htable_release(ht);
}

/* ------------------------------------------------------------------ for a range */

static bool
can_be_read(uintptr_t va)
{
	paddr_t pa;

	return (mmu_access(va, MMU_USER, &pa) == 0);
}

/** Two pages in one table, which is held once. */
static htable_t *
two_pages(hat_t *hat)
{
	for (uint_t i = 0; i < 2; i++)
		hat_memload(hat, VA + i * PAGESIZE, page, RW, HAT_LOAD);
	return (htable_lookup(hat, VA, 0));
}

/** A table that stays when it is empty, that somebody else holds, or that shows another's: not cut off, and emptied all the same. */
static void
not_cut(hat_t *hat)
{
	hat_t *client = hat_alloc(&wide);
	level_t stays = MIN(mmu.max_page_level, TOP_LEVEL(hat) - 1);
	htable_t *ht = two_pages(hat), *high = htable_create(hat, VA + LEVEL_SIZE(stays + 1), stays, NULL), *shown;

	expect(
	    mmu.max_page_level > stays || (!htable_try_cut(high) && high->ht_flags == 0), "a table of level %d is cut off", stays);
	htable_release(high);
	shown = htable_create(client, VA, 0, ht);
	expect(!htable_try_cut(shown) && shown->ht_flags == HTABLE_SHARED_PFN, "a shared table is cut off");
	htable_release(shown);
	host_free_space(client);
	high = htable_lookup(hat, VA, 0);
	expect(!htable_try_cut(ht) && ht->ht_flags == 0, "a table is cut off that somebody else holds");
	htable_release(high);
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
	expect(ht->ht_valid_cnt == 0 && ht->ht_busy == 1 && !can_be_read(VA) && hat_page_getshare(page) == 0, "pages are left");
	htable_release(ht);
}

/** Somebody holds it when it should go, or has put a page there: it comes back as it is. */
static void
put_back(hat_t *hat)
{
	for (uint_t held = 0; held < 2; held++) {
		htable_t *ht = two_pages(hat);

		if (!htable_try_cut(ht)) {
			expect(mmu.max_page_level == 0, "a table that nobody else holds is not cut off");
			htable_release(ht);
			hat_unload(hat, VA, LARGE, HAT_UNLOAD);
			return;
		}
		expect(!can_be_read(VA), "a page below a table that is cut off can be read");
		if (held) {
			htable_cut_empty(ht);
			ht->ht_busy++;
		}
		htable_cut_done(ht);
		expect(!(ht->ht_flags & HTABLE_CUT) && ht->ht_busy == (held ? 1 : 0), "flags 0x%x, %d holds", ht->ht_flags,
		    ht->ht_busy);
		expect(can_be_read(VA) == !held, "what is in a table that came back");
		if (held)
			htable_release(ht);
		hat_unload(hat, VA, LARGE, HAT_UNLOAD);
	}
}

static htable_t *leaving;
static uint_t yields;

/** When somebody waits, and not before. */
static void
ready(void)
{
	if (host_yields == yields)
		return;
	host_between = NULL;
	htable_cut_done(leaving);
}

/** A table is cut off, and what is done with it ends when somebody waits for that. */
static bool
leave(hat_t *hat, bool empty)
{
	leaving = two_pages(hat);
	if (!htable_try_cut(leaving)) {
		htable_release(leaving);
		return (false);
	}
	if (empty)
		htable_cut_empty(leaving);
	yields = host_yields;
	host_between = ready;
	return (true);
}

/** Who wants a table that is cut off waits: then it is there again, or there is none, and one that was made for its place is used, or is not. */
static void
waited_for(hat_t *hat)
{
	for (uint_t empty = 0; empty < 2; empty++)
		for (uint_t create = 0; create < 2; create++) {
			htable_t *ht;

			htable_free(htable_alloc(hat, VA, 0, NULL)); /* cached: so nobody looks before he has a new one */
			if (!leave(hat, empty))
				break;
			expect(hat->hat_ht_cached != NULL, "no table is cached");
			ht = create ? htable_create(hat, VA, 0, NULL) : htable_lookup(hat, VA, 0);
			expect(host_between == NULL, "nobody waited");
			if (!empty)
				expect(ht == leaving && ht->ht_busy == 1 && can_be_read(VA), "not the table that came back");
			else if (create)
				expect(ht != NULL && ht->ht_valid_cnt == 0 && ht->ht_busy == 1, "no new table");
			else
				expect(ht == NULL, "a table that has gone is found");
			htable_release(ht);
			host_sound("a table was waited for");
			hat_unload(hat, VA, LARGE, HAT_UNLOAD);
		}
	host_between = NULL;
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
}

/** The hat's cached tables have frames, so they cannot be its top table, if that has none. */
static void
bare_top(void)
{
	hat_t *hat = hat_alloc(&narrow);
	htable_t *ht;

	htable_free(htable_alloc(hat, VA, 0, NULL));
	ht = htable_alloc(hat, 0, TOP_LEVEL(hat), NULL);
	if (hat->hat_flags & HAT_VLP)
		expect(ht->ht_flags == HTABLE_VLP && ht->ht_pfn == PFN_INVALID && hat->hat_ht_cached != NULL,
		    "a top table from the stack");
	htable_free(ht);
	host_free_space(hat);
}

/** A slot of a large page with nothing but accessed is free, as link_ptp() finds too. */
static void
marked_large(hat_t *hat)
{
	htable_t *ht;
	uint_t i;

	if (mmu.umax_page_level < 1)
		return;
	rob_all();
	ht = htable_create(hat, VA, 1, NULL);
	i = htable_va2entry(VA, ht);
	pte_store(x86pte_access_pagetable(ht, i), PT_REF);
	x86pte_release_pagetable(ht);
	hat_devload(hat, VA, LARGE, FRAMES, RW, HAT_LOAD);
	expect(hat_getpagesize(hat, VA) == (long)LARGE && hat_getpfnum(hat, VA + PAGESIZE) == FRAMES + 1, "no large page");
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
	expect(x86pte_get(ht, i) == 0, "something is left: 0x%llx", (unsigned long long)x86pte_get(ht, i));
	htable_release(ht);
}

/* ------------------------------------------------------------------ left for others */

/** Eight address spaces with a page each. @return so many tables more than before; less than 0: there were some that nobody had */
static int32_t
come_and_go(void)
{
	uint32_t before = active_ptables;
	hat_t *hats[8];

	for (uint_t i = 0; i < NELEM(hats); i++) {
		hats[i] = hat_alloc(&wide);
		hat_memload(hats[i], VA, page, RW, HAT_LOAD);
	}
	for (uint_t i = 0; i < NELEM(hats); i++)
		host_free_space(hats[i]);
	return ((int32_t)(active_ptables - before));
}

static void
take_kept(void)
{
	htable_keep_none(NULL);
}

/** The kernel uses what lies on its stack, its own tables and those that were left to it; then others are kept. */
static void
kept_tables(void)
{
	htable_t *t[40], *ht;

	htable_keep_none(NULL);
	htable_dont_cache = 1;
	expect(come_and_go() == 0, "tables are kept while nobody may");
	htable_dont_cache = 0;
	expect(htable_kept() == NULL && come_and_go() > 0, "nothing is kept");
	for (uint_t i = 0; i < NELEM(t); i++)
		t[i] = htable_create(kas_hat, OTHER + i * LARGE, 0, NULL);
	expect(kas_hat->hat_ht_cached == NULL && come_and_go() > 0, "nothing is kept since the kernel has used what was");
	htable_keep_none(NULL);
	for (uint_t i = 0; i < NELEM(t); i++)
		htable_release(t[i]);
	ht = htable_kept();
	expect(ht != NULL && come_and_go() <= 0, "the kernel's own tables are not used first");
	host_before_which = &kas_hat->hat_mutex;
	host_before_lock = take_kept;
	expect(htable_kept() == NULL && host_before_lock == NULL, "a table that somebody else has taken");
	ht->ht_hat = NULL;
	htable_free(ht);
}

void
cut_run(hat_t *hat)
{
	uncut_directory(hat);
	cut_locked(hat);
	same_rank(hat);
	not_cut(hat);
	put_back(hat);
	waited_for(hat);
	bare_top();
	marked_large(hat);
	kept_tables();
}
