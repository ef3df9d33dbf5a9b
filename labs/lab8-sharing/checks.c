/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 8: two address spaces, one table. Reference code.
 *
 * The scratch address space is the client. What it shows is compared as a whole with what the hardware
 * must see (check_outside()).
 */
#include "origin.h"
#include <check/guard.h>
#include <check/outside.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <sys/peek.h>
#include <sys/thread.h>

#define NO_FRAME ((pfn_t)1 << (32 - PAGESHIFT)) /* of no memory, where entries can name it; aligned to anything */

/** What is to be done with the copy. */
static struct {
	hat_t *hat;
	uintptr_t va, src_va;
	size_t len;
	int result;
	uint_t flushes; /* of everything, that were asked for */
	uint_t flushes_of_one;
} act;

static void
share(void)
{
	copy_on(act.hat);
	act.result = hat_share(act.hat, act.va, origin.hat, act.src_va, act.len, 0);
	copy_off();
}

static void
unshare(void)
{
	copy_on(act.hat);
	hat_unshare(act.hat, act.va, act.len, 0);
	act.flushes = trial_calls("hat_tlb_inval", (uintptr_t)act.hat, DEMAP_ALL_ADDR);
	act.flushes_of_one = trial_calls("hat_tlb_inval", (uintptr_t)act.hat, TRIAL_ANY) - act.flushes;
	copy_off();
}

/* Put back by the reference, if there is nothing to complain about; else the client is given up as it is. */
static void
finish(void)
{
	if (!note_wrong())
		hat_unshare(act.hat, act.va, act.len, 0);
	origin_end(note_wrong());
	note_end();
}

/* A source, and a client that is to show len bytes of it at va. */
static void
start(hat_t *hat, uintptr_t va, uintptr_t src_off, size_t len)
{
	note_start();
	origin_make();
	act.hat = hat;
	act.va = va;
	act.src_va = origin.va + src_off;
	act.len = len;
}

/* All of table A is seen through a table of the client's that has its frame. */
static void
note_shared(uintptr_t va, uint_t pages)
{
	htable_t *ht = table_over(act.hat, va);

	note_eq(ht != NULL, 1, "tables of level 0 over the client's address");
	if (ht == NULL)
		return;
	note_eq(ht->ht_flags & HTABLE_SHARED_PFN, HTABLE_SHARED_PFN, "HTABLE_SHARED_PFN of the client's table");
	note_eq(ht->ht_pfn, origin.a->ht_pfn, "frame of the client's table: the source's");
	note_eq((uint32_t)ht->ht_valid_cnt, pages, "ht_valid_cnt of the client's table: a copy of the source's");
	note_eq((uint32_t)origin.a->ht_busy, (uint32_t)origin.a_busy + 1, "holds on the source's table: one for each client");
	note_eq(act.hat->hat_ism_pgcnt, pages, "hat_ism_pgcnt of the client");
	note_eq(act.hat->hat_pages_mapped[0], 0, "hat_pages_mapped[0] of the client: pages in its own tables");
}

/* ------------------------------------------------------------------ htable_share */

/* Two tables that nobody else knows. */
CHECK(sharing_init, "sharing-init", "htable_share", 8, 3, NULL, 0)
{
	htable_t ht = { .ht_hat = hat, .ht_pfn = PFN_INVALID, .ht_busy = 1 };
	htable_t from = { .ht_hat = hat, .ht_pfn = 0x123, .ht_valid_cnt = 5, .ht_busy = 2 };

	copy_on(hat);
	htable_share_init(&ht, &from);
	copy_off();
	check_eq(ht.ht_flags, HTABLE_SHARED_PFN, "ht_flags of a new shared table");
	check_eq(ht.ht_pfn, from.ht_pfn, "ht_pfn of a new shared table: the source's");
	check_eq((uintptr_t)ht.ht_shares, (uintptr_t)&from, "ht_shares of a new shared table");
	check_eq(ht.ht_busy, 1, "holds on the new table");
	check_eq(from.ht_busy, 2, "holds on the source, while the new table is not linked");
	check_eq(from.ht_valid_cnt, 5, "ht_valid_cnt of the source");
}

static void
hold(void)
{
	copy_on(origin.hat);
	htable_share_hold(origin.a);
	copy_off();
}

/* The checker counts holds and shares: what is missing in either is put right before it looks. */
CHECK(sharing_hold, "sharing-hold", "htable_share", 8, 4, NULL, 0)
{
	start(hat, 0, 0, 0);
	check_guarded(hold, origin_rescue);
	note_eq((uint32_t)origin.a->ht_busy, (uint32_t)origin.a_busy + 1, "holds on the source after htable_share_hold()");
	note_eq((uint32_t)origin.b->ht_busy, (uint32_t)origin.b_busy, "holds on another table of the source");
#ifdef DEBUG
	note_eq(hatstat.hs_htable_shared - origin.shared, 1, "hatstat.hs_htable_shared, raised by");
#endif
	origin_end(true);
	note_end();
}

/* The whole of it: made and linked by htable_create(), seen by the hardware, let go by htable_release(). */
CHECK(sharing_linked, "sharing-linked", "htable_share", 8, 5, "sharing-init sharing-hold", 0)
{
	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	for (uint_t i = 0; i < IN_A; i++)
		expect_leaf(act.va + origin.at[i] * PAGESIZE, 0, origin_leaf(i));
	check_guarded(share, origin_rescue);
	note_shared(act.va, IN_A);
	note_outside(hat, origin_rescue);
	if (!note_wrong()) {
		hat_unshare(hat, act.va, act.len, 0);
		note_eq((uint32_t)origin.a->ht_busy, (uint32_t)origin.a_busy, "holds on the source after the client has left");
	}
	origin_end(note_wrong());
	note_end();
}

/* ------------------------------------------------------------------ hat_share */

CHECK(share_whole, "share-whole", "hat_share", 8, 4, NULL, 0)
{
	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	for (uint_t i = 0; i < IN_A; i++)
		expect_leaf(act.va + origin.at[i] * PAGESIZE, 0, origin_leaf(i));
	check_guarded(share, origin_rescue);
	note_eq((uint32_t)act.result, 0, "result of hat_share()");
	note_shared(act.va, IN_A);
	note_outside(hat, origin_rescue);
	finish();
}

/* One by one: pages in tables of the client's own, locked. */
static void
note_single(uintptr_t va, uint_t pages)
{
	htable_t *ht = table_over(act.hat, va);

	note_eq(ht != NULL, 1, "tables of level 0 over the client's address");
	if (ht == NULL)
		return;
	note_eq(ht->ht_flags & HTABLE_SHARED_PFN, 0, "HTABLE_SHARED_PFN of a table that cannot be the source's");
	note_eq(ht->ht_lock_cnt, pages, "ht_lock_cnt of the client's table: pages that were mapped one by one");
}

/* Not aligned as the source is: no table fits. The first page of the range is missing in the second one. */
CHECK(share_single, "share-single", "hat_share", 8, 4, NULL, 0)
{
	start(hat, room_for(3) + PAGESIZE, 0, 2 * LEVEL_SIZE(1));
	for (uint_t i = 0; i < NPAGES; i++)
		expect_leaf(act.va + origin.at[i] * PAGESIZE, 0, single_leaf(hat, act.va + origin.at[i] * PAGESIZE, i));
	check_guarded(share, origin_rescue);
	note_single(act.va, 2);
	note_single(act.va + LEVEL_SIZE(1), 3);
	note_eq(hat->hat_ism_pgcnt, 0, "hat_ism_pgcnt, where nothing is shared");
	note_eq((uint32_t)origin.a->ht_busy, (uint32_t)origin.a_busy, "holds on the source's table, where nothing is shared");
	note_outside(hat, origin_rescue);
	finish();
}

/* A range that ends just before table A's last page: the table does not fit whole, and that page is nobody's business. */
CHECK(share_ends, "share-ends", "hat_share", 8, 2, NULL, 0)
{
	start(hat, room_for(1), 0, LEVEL_SIZE(1) - PAGESIZE);
	for (uint_t i = 0; i < IN_A - 1; i++)
		expect_leaf(act.va + origin.at[i] * PAGESIZE, 0, single_leaf(hat, act.va + origin.at[i] * PAGESIZE, i));
	check_guarded(share, origin_rescue);
	note_single(act.va, IN_A - 1);
	note_eq(hat->hat_pages_mapped[0], IN_A - 1, "pages of a range that ends one page before the source's table does");
	note_outside(hat, origin_rescue);
	finish();
}

/* Where the client has a table of its own, even one with a single page, that stays its own (C-42). */
CHECK(share_private, "share-private", "hat_share", 8, 3, NULL, 0)
{
	uintptr_t own;
	page_t *pp = check_page();

	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	own = act.va + 17 * PAGESIZE;
	hat_memload(hat, own, pp, PROT_READ | PROT_USER, HAT_LOAD);
	expect_leaf(own, 0, raw_entry(table_over(hat, own), (own >> PAGESHIFT) & (mmu.ptes_per_table - 1)));
	for (uint_t i = 0; i < IN_A; i++)
		expect_leaf(act.va + origin.at[i] * PAGESIZE, 0, single_leaf(hat, act.va + origin.at[i] * PAGESIZE, i));
	check_guarded(share, origin_rescue);
	note_single(act.va, IN_A);
	note_eq(hat->hat_ism_pgcnt, 0, "hat_ism_pgcnt, where the client has a table of its own");
	note_outside(hat, origin_rescue);
	if (!note_wrong()) {
		hat_unload(hat, own, PAGESIZE, HAT_UNLOAD);
		page_free(pp, 0);
	}
	finish();
}

/* The source has got another page: sharing again brings the client's counts up to date, and takes no second hold. */
CHECK(share_again, "share-again", "hat_share", 8, 3, NULL, 0)
{
	uintptr_t more;
	page_t *pp = check_page();

	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	(void)hat_share(hat, act.va, origin.hat, origin.va, LEVEL_SIZE(1), 0);
	more = origin.va + 9 * PAGESIZE;
	hat_memload(origin.hat, more, pp, PROT_READ | PROT_USER, HAT_LOAD_SHARE);
	check_guarded(share, origin_rescue);
	note_shared(act.va, IN_A + 1);
	finish();
	page_free(pp, 0);
}

/* A table of level 1 is shared only if it holds leaves and nothing else: here there is a link beside a large page. */
CHECK(share_mixed, "share-mixed", "hat_share", 8, 2, NULL, 0)
{
	uintptr_t va, big;
	htable_t *ht;
	bool linked;

	note_start();
	if (mmu.max_level < 2 || mmu.highest_pfn < NO_FRAME)
		return;
	origin_make();
	big = origin.va & LEVEL_MASK(2);
	do
		va = room_for(1) & LEVEL_MASK(2);
	while (va < LEVEL_SIZE(2) || va + LEVEL_SIZE(2) > userlimit);
	if (origin.va == big) { /* its tables are where the large page should be: one in a thousand seeds */
		origin_end(false);
		return;
	}
	hat_devload(origin.hat, big, LEVEL_SIZE(1), NO_FRAME, PROT_READ | PROT_USER, HAT_LOAD_SHARE);
	act.hat = hat;
	act.va = va;
	act.src_va = big;
	act.len = LEVEL_SIZE(2);
	check_guarded(share, origin_rescue);
	ht = htable_lookup(hat, va, 1);
	htable_release(ht);
	linked = ht != NULL && (ht->ht_flags & HTABLE_SHARED_PFN);
	note_eq(linked, false, "whether a table of level 1 that also holds links is shared");
	note_eq(hat->hat_pages_mapped[1], 1, "hat_pages_mapped[1] of the client: the source's large page");
	if (!note_wrong())
		note_eq(ht->ht_lock_cnt, 1, "ht_lock_cnt of the client's table of level 1: the large page");
	ht = table_over(hat, va + (origin.va - big));
	note_eq(ht != NULL && ht->ht_shares == origin.a, true, "whether the one table of level 0 that fits is shared");
	note_eq(hat->hat_ism_pgcnt, IN_A, "hat_ism_pgcnt: the pages of that table");
	if (note_wrong())
		origin_rescue();
	else
		hat_unshare(hat, act.va, act.len, 0);
	if (!note_wrong()) {
		hat_unload(origin.hat, big, LEVEL_SIZE(1), HAT_UNLOAD);
		origin_end(false);
	}
	note_end();
}

static void
share_of(void *src)
{
	(void)hat_share(act.hat, act.va, src, origin.va, act.len, 0);
}

static hat_t *plain, *nothing; /* not loaded to be shared; empty */

static void
refuse(void)
{
	char text[160];

	copy_on(act.hat);
	share_of(nothing);
	(void)check_panics(share_of, plain, text, sizeof(text)); /* whether it does is DEBUG's business */
	copy_off();
}

/* What has not been loaded with HAT_LOAD_SHARE is not shared: DEBUG kernels assert that there is none, and nothing is done. */
CHECK(share_refused, "share-refused", "hat_share", 8, 2, NULL, 0)
{
	page_t *pp = check_page();

	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	nothing = hat_alloc(NULL);
	plain = hat_alloc(NULL);
	hat_memload(plain, origin.va + PAGESIZE, pp, PROT_READ | PROT_USER, HAT_LOAD);
	check_guarded(refuse, origin_rescue);
	note_eq(hat->hat_pages_mapped[0] + hat->hat_ism_pgcnt, 0, "pages seen of address spaces that export nothing");
	hat_unload(plain, origin.va + PAGESIZE, PAGESIZE, HAT_UNLOAD);
	hat_free_start(plain);
	hat_free_end(plain);
	hat_free_start(nothing);
	hat_free_end(nothing);
	origin_end(note_wrong());
	page_free(pp, 0);
	note_end();
}

/* ------------------------------------------------------------------ hat_unshare */

/* What release keeps of the way to a table (spec 4.5). */
static void
expect_kept(uintptr_t va)
{
	if (mmu.max_page_level < mmu.max_level)
		expect_table(va, mmu.max_page_level);
}

static void
note_gone(void)
{
	note_eq(table_over(act.hat, act.va) != NULL, 0, "tables of level 0 that are left over the client's address");
	note_eq((uint32_t)origin.a->ht_busy, (uint32_t)origin.a_busy, "holds on the source's table");
	note_eq((uint32_t)origin.a->ht_valid_cnt, IN_A, "ht_valid_cnt of the source's table");
	note_eq(act.hat->hat_ism_pgcnt, 0, "hat_ism_pgcnt of the client");
	note_eq(act.hat->hat_pages_mapped[0], 0, "hat_pages_mapped[0] of the client");
}

CHECK(unshare_whole, "unshare-whole", "hat_unshare", 8, 4, NULL, 0)
{
	start(hat, room_for(1), 0, LEVEL_SIZE(1));
	expect_kept(act.va);
	(void)hat_share(hat, act.va, origin.hat, origin.va, act.len, 0);
	check_guarded(unshare, origin_rescue);
	note_gone();
	note_outside(hat, origin_rescue);
	origin_end(note_wrong());
	note_end();
}

static bool still_there;

/* This CPU has seen a page; it must not see it through an old translation. */
static void
unshare_running(void)
{
	uint32_t word;

	hat_setup(act.hat);
	kpreempt_disable();
	(void)peek((void *)(act.va + 3 * PAGESIZE), &word, sizeof(word));
	unshare();
	still_there = peek((void *)(act.va + 3 * PAGESIZE), &word, sizeof(word));
	kpreempt_enable();
	hat_setup(NULL);
}

static void
rescue_running(void)
{
	hat_setup(NULL);
	origin_rescue();
}

/* Two tables go, with one flush of everything. The second one is a second source table with a first page. */
CHECK(unshare_flush, "unshare-flush", "hat_unshare", 8, 4, NULL, 0)
{
	page_t *pp = check_page();

	start(hat, room_for(2), 0, 2 * LEVEL_SIZE(1));
	hat_memload(origin.hat, origin.va + LEVEL_SIZE(1), pp, PROT_READ | PROT_USER, HAT_LOAD_SHARE);
	(void)hat_share(hat, act.va, origin.hat, origin.va, act.len, 0);
	check_guarded(unshare_running, rescue_running);
	note_eq(still_there, false, "whether the CPU that runs the client still sees a page after hat_unshare()");
	if (trial_records("hat_tlb_inval"))
		note_eq(act.flushes, 1, "flushes with DEMAP_ALL_ADDR for two tables");
	note_gone();
	note_eq((uint32_t)origin.b->ht_busy, (uint32_t)origin.b_busy, "holds on the source's second table");
	origin_end(note_wrong());
	page_free(pp, 0);
	note_end();
}

/* Pages that had been mapped one by one, and are locked. One of the client's own beside the range stays. */
CHECK(unshare_single, "unshare-single", "hat_unshare", 8, 4, NULL, 0)
{
	page_t *pp = check_page();
	uintptr_t own;
	htable_t *ht;

	start(hat, room_for(3) + PAGESIZE, 0, 2 * LEVEL_SIZE(1));
	own = act.va - PAGESIZE;
	hat_memload(hat, own, pp, PROT_READ | PROT_USER, HAT_LOAD);
	ht = table_over(hat, own);
	expect_leaf(own, 0, raw_entry(ht, htable_va2entry(own, ht)));
	(void)hat_share(hat, act.va, origin.hat, origin.va, act.len, 0);
	check_guarded(unshare, origin_rescue);
	note_eq(ht->ht_lock_cnt, 0, "ht_lock_cnt of the client's table: all its pages were locked, and are gone");
	note_eq(hat->hat_pages_mapped[0], 1, "hat_pages_mapped[0] of the client: its own page beside the range");
	note_outside(hat, origin_rescue);
	if (!note_wrong())
		hat_unload(hat, own, PAGESIZE, HAT_UNLOAD);
	origin_end(note_wrong());
	if (!note_wrong())
		page_free(pp, 0);
	note_end();
}
