/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Branches at the edges that no history comes to: amounts, ends of ranges, a machine in panic, what is shared and what is not.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/page.h>
#include <memmap.h>

/** B53: no cache for the FREEING and while somebody reaps; everything is kept at boot. B39: no reaping before the first hat. */
static void
free_and_reap(hat_t *hat)
{
	uint32_t tables = active_ptables;
	htable_t *ht = htable_alloc(hat, VA, 0, NULL);

	htable_purge_hat(hat);
	use_boot_reserve = 1;
	htable_dont_cache = 1;
	htable_free(ht);
	htable_dont_cache = 0;
	use_boot_reserve = 0;
	expect(hat->hat_ht_cached == ht && active_ptables == tables + 1, "boot gives a table away");
	can_steal_post_boot = 0;
	htable_reap(NULL);
	can_steal_post_boot = 1;
	expect(hat->hat_ht_cached == ht, "a table was reaped before there is anybody to take it from");
	ht = htable_alloc(hat, VA, 0, NULL);
	hat->hat_flags |= HAT_FREEING;
	htable_free(ht);
	hat->hat_flags &= ~(uint32_t)HAT_FREEING;
	htable_keep_none(NULL);
	expect(hat->hat_ht_cached == NULL && active_ptables == tables, "a FREEING address space caches");
}

/** B39: five per cent of the tables, at most of the pages, and ten at least. */
static void
reap_amounts(hat_t *hat)
{
	static const struct {
		ulong_t pages;
		uint32_t tables;
		uint_t want;
	} amounts[] = {
		{ 100000, 100, 10 },
		{ 100000, 300, 15 },
		{ 240, 300, 12 },
		{ 399, 500, 19 },
		{ 20, 300, 10 },
	};
	ulong_t pages = physmem;
	htable_t *t[20];

	for (uint_t k = 0; k < NELEM(amounts); k++) {
		uint32_t more = amounts[k].tables - active_ptables - NELEM(t); /* perhaps less */
		ulong_t reaped = hatstat.hs_reaped;

		for (uint_t i = 0; i < NELEM(t); i++)
			t[i] = htable_alloc(hat, VA, 0, NULL);
		for (uint_t i = 0; i < NELEM(t); i++)
			htable_free(t[i]);
		active_ptables += more;
		physmem = amounts[k].pages;
		htable_reap(NULL);
		physmem = pages;
		active_ptables -= more;
#ifdef DEBUG
		expect(hatstat.hs_reaped - reaped == amounts[k].want, "%lu tables reaped instead of %u", hatstat.hs_reaped - reaped,
		    amounts[k].want);
#endif
		(void)reaped;
		htable_purge_hat(hat);
	}
}

/** More address spaces than tables that are wanted: one from each, until it is enough. */
static void
many_spaces(void)
{
	hat_t *h[16];
	htable_t *got;
	uint_t n = 0, left = 0;

	for (uint_t i = 0; i < NELEM(h); i++) {
		h[i] = hat_alloc(&wide);
		hat_memload(h[i], VA, page, RW, HAT_LOAD);
	}
	for (got = htable_steal(4); got != NULL; n++) {
		htable_t *next = got->ht_next;

		htable_free(got);
		got = next;
	}
	for (uint_t i = 0; i < NELEM(h); i++) {
		left += (uint_t)hat_probe(h[i], VA);
		host_free_space(h[i]);
	}
	expect(n == 4 && left >= NELEM(h) - 4, "%u tables stolen, %u of %u address spaces untouched", n, left, (uint_t)NELEM(h));
}

/** B23: a number of passes that makes no sense is put right. */
static void
steal_passes(hat_t *hat)
{
	const struct {
		uint64_t asked, want;
	} passes[] = { { 0, 1 }, { 1u << 20, mmu.ptes_per_table }, { 8, 8 } };
	uint64_t before = htable_steal_passes;

	for (uint_t i = 0; i < NELEM(passes); i++) {
		htable_t *got;

		hat_memload(hat, VA, page, RW, HAT_LOAD);
		htable_steal_passes = passes[i].asked;
		got = htable_steal(1);
		expect(got != NULL && htable_steal_passes == passes[i].want, "%llu passes became %llu",
		    (unsigned long long)passes[i].asked, (unsigned long long)htable_steal_passes);
		htable_free(got);
		hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	}
	htable_steal_passes = before;
}

/** B13, B14: who may go below the line gets a frame; and nothing fails on purpose before something can be stolen. */
static void
exempt(void)
{
	int flags = curthread->t_flags;
	ulong_t throttle = throttlefree;
	uint64_t force = force_steal;
	pfn_t pfn;

	throttlefree = physmem;
	expect(ptable_alloc(0) == PFN_INVALID, "a frame although memory is short");
	curthread->t_flags |= T_NOMEMWAIT;
	pfn = ptable_alloc(0);
	expect(pfn != PFN_INVALID, "no frame for a thread that may have one");
	curthread->t_flags = flags;
	throttlefree = throttle;
	ptable_free(pfn);
	can_steal_post_boot = 0;
	force_steal = 2;
	for (int i = 0; i < 4; i++) {
		pfn = ptable_alloc(0);
		expect(pfn != PFN_INVALID, "request %d fails on purpose before anything can be stolen", i);
		ptable_free(pfn);
	}
	force_steal = force;
	can_steal_post_boot = 1;
}

/* ------------------------------------------------------------------ looking and walking */

/** B92: outputs that nobody wants. B71: tables of several levels with one base, some of them on one chain. */
static void
same_base(hat_t *hat)
{
	uintptr_t step = LEVEL_SIZE(MIN(2, mmu.max_level)), end = MIN(hat_user_end(hat), (uintptr_t)64 * step - 1);
	uint_t entry = 0;

	for (uintptr_t va = 0; va < end && va + step > va; va += step)
		hat_devload(hat, va, PAGESIZE, 0xe0, RW, HAT_LOAD);
	for (uintptr_t va = 0; va < end && va + step > va; va += step)
		for (level_t l = 0; l <= mmu.max_level; l++) {
			htable_t *ht = htable_lookup(hat, va, l);

			expect(ht != NULL && ht->ht_level == l, "a table of level %d is found for level %d",
			    ht == NULL ? -1 : ht->ht_level, l);
			htable_release(ht);
		}
	for (int i = 0; i < 2; i++) {
		htable_t *ht = htable_getpte(hat, PAGESIZE, i ? &entry : NULL, NULL, 0);

		expect(ht != NULL && entry == (uint_t)i, "htable_getpte finds entry %u", entry);
		htable_release(ht);
	}
	host_unload_user(hat);
}

static x86pte_t raced_entry;

static void
clear_third(volatile void *p)
{
	if (((uintptr_t)p & PAGEOFFSET) != (uintptr_t)3 << mmu.pte_size_shift)
		return;
	host_before_load = NULL;
	raced_entry = pte_load(p);
	pte_store((void *)(uintptr_t)p, 0);
}
static void
expect_step(hat_t *hat, htable_t **htp, uintptr_t from, uintptr_t want)
{
	uintptr_t va = from;
	x86pte_t pte = htable_walk(hat, htp, &va, want + PAGESIZE);

	expect(pte != 0 && va == want, "a walk from 0x%lx leads to 0x%lx instead of 0x%lx", from, va, want);
}

/** B87: a leaf that is seen and gone when it is loaded. B86: no more than one entry where the range ends at once. */
static void
scan_races(hat_t *hat)
{
	uintptr_t va = VA, end = VA + LEVEL_SIZE(1);
	htable_t *ht;
	x86pte_t pte;
	uint_t third;

	for (uint_t i = 3; i < 9; i += 5)
		hat_devload(hat, VA + i * PAGESIZE, PAGESIZE, 0xe0, RW, HAT_LOAD);
	ht = htable_getpage(hat, VA + 3 * PAGESIZE, &third);
	host_before_load = clear_third;
	pte = htable_scan(ht, &va, end);
	expect(host_before_load == NULL && raced_entry != 0, "the entry was not loaded");
	expect(pte != 0 && va == VA + 8 * PAGESIZE, "the scan finds 0x%llx at 0x%lx", (unsigned long long)pte, va);
	(void)x86pte_set(ht, third, raced_entry, NULL);
	va = VA + 2 * PAGESIZE;
	expect(htable_scan(ht, &va, va) == 0 && va == VA + 3 * PAGESIZE, "a scan of nothing leads to 0x%lx", va);
	htable_release(ht);
	hat_unload(hat, VA, 9 * PAGESIZE, HAT_UNLOAD);
}

/** B89: the table of the step before is still good, or is behind, or before the address. */
static void
walk_elsewhere(hat_t *hat)
{
	uintptr_t far = VA + 4 * LEVEL_SIZE(1);
	htable_t *ht = NULL;

	for (uint_t i = 0; i < 2; i++) {
		hat_devload(hat, VA + i * PAGESIZE, PAGESIZE, 0xe0, RW, HAT_LOAD);
		hat_devload(hat, far + i * PAGESIZE, PAGESIZE, 0xe0, RW, HAT_LOAD);
	}
	expect_step(hat, &ht, VA, VA);
	expect_step(hat, &ht, VA + PAGESIZE, VA + PAGESIZE);
	expect_step(hat, &ht, far, far);
	expect_step(hat, &ht, VA, VA);
	htable_release(ht);
	hat_unload(hat, VA, PAGESIZE * 2, HAT_UNLOAD);
	hat_unload(hat, far, PAGESIZE * 2, HAT_UNLOAD);
}

static bool found_cut;

static void
look_for_cut(hat_t *hat, htable_t *cut)
{
	htable_t *ht = htable_lookup(hat, VA, 0), *made = htable_create(hat, VA, 0, NULL);

	found_cut = ht == cut && made == cut;
	htable_release(made);
	htable_release(ht);
}

/** In a panic nobody waits: a table that is being emptied is found as it is. And a flush asks nobody else. */
static void
panicking(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	ulong_t delayed = hatstat.hs_tlb_inval_delayed;

	ht->ht_flags |= HTABLE_CUT;
	host_on(1);
	tlb_going_idle();
	host_on(0);
	panicstr = "a test";
	look_for_cut(hat, ht);
	hat_tlb_inval(kas_hat, KERNEL_OFFSET);
	panicstr = NULL;
	host_on(1);
	tlb_service();
	host_on(0);
	ht->ht_flags &= (uint8_t)~HTABLE_CUT;
	expect(found_cut, "a table that is cut was not found");
	expect(hatstat.hs_tlb_inval_delayed == delayed, "a flush in a panic speaks to others");
	htable_release(ht);
}

/** A CPU that slept in an address space with its top table inside: it reads that again when it wakes. */
static void
wake_in_vlp(void)
{
	hat_t *hat = hat_alloc(&narrow);

	if (hat->hat_flags & HAT_VLP) {
		hat_setup(hat);
		tlb_going_idle();
		atomic_or_32(&CPU->cpu_tlb_info, TLB_INVAL_ALL);
		hat_memload(hat, VA, page, RW, HAT_LOAD);
		pte_store(&CPU->cpu_hat_info->hci_vlp_slots[1], 0);
		tlb_service();
		expect(pte_load(&CPU->cpu_hat_info->hci_vlp_slots[1]) == hat->hat_vlp_ptes[1], "the top table was not read again");
		hat_setup(NULL);
	}
	host_free_space(hat);
}

/** Somebody's walk has left its mark in an empty slot of a directory: a link replaces it. */
static void
marked_slot(hat_t *hat)
{
	htable_t *parent, *ht;
	uint_t i;

	rob_all();
	parent = htable_create(hat, VA, 1, NULL);
	i = htable_va2entry(VA, parent);
	expect(x86pte_cas(parent, i, 0, PT_REF) == 0, "the slot is not empty");
	ht = htable_create(hat, VA, 0, NULL);
	expect((x86pte_get(parent, i) & ~(PT_REF | PT_MOD)) == (MAKEPTP(ht->ht_pfn, 0) & ~(PT_REF | PT_MOD)), "the link is 0x%llx",
	    (unsigned long long)x86pte_get(parent, i));
	htable_release(ht);
	htable_release(parent);
}

/* ------------------------------------------------------------------ sharing */

static bool pageable;

/** In place of the HAT's own, weak one. */
bool
as_pageable(struct as *as, uintptr_t va)
{
	(void)as, (void)va;
	return (pageable);
}

static void
expect_shared(hat_t *hat, uintptr_t va, ulong_t shared, ulong_t mapped)
{
	expect(hat->hat_ism_pgcnt == shared && hat->hat_pages_mapped[0] == mapped,
	    "0x%lx: %lu pages seen, %lu mapped, not %lu and %lu", va, hat->hat_ism_pgcnt, hat->hat_pages_mapped[0], shared, mapped);
}

/** A source with `n` of a table's pages, from entry `first` on. */
static hat_t *
source(uint_t first, uint_t n, uint_t attr)
{
	hat_t *src = hat_alloc(&wide);

	for (uint_t i = first; i < first + n; i++)
		hat_memload(src, VA + i * PAGESIZE, page, attr, HAT_LOAD_SHARE);
	return (src);
}

static void
drop_source(hat_t *src)
{
	hat_unload(src, VA, LEVEL_SIZE(1), HAT_UNLOAD);
	host_free_space(src);
}

/** Whole tables are shared, and a walk finds what is seen through them; the client ends while it still shares. */
static void
share_whole(void)
{
	hat_t *src = source(0, 3, RW), *hat = hat_alloc(&wide);
	uintptr_t va = VA;
	htable_t *ht = NULL, *got;

	(void)hat_share(hat, VA, src, VA, LEVEL_SIZE(1), 0);
	expect_shared(hat, VA, 3, 0);
	expect(htable_walk(hat, &ht, &va, VA + LEVEL_SIZE(1)) != 0 && va == VA && (ht->ht_flags & HTABLE_SHARED_PFN),
	    "the walk does not find what is shared");
	htable_release(ht);
	host_sound("a shared table");
	hat_memload(hat, VA + 4 * LEVEL_SIZE(1), page, RW, HAT_LOAD); /* so that the thief looks into this address space */
	got = htable_steal(1000);                                     /* B34, B27: neither the shared table nor the source's */
	for (htable_t *next; got != NULL; got = next) {
		next = got->ht_next;
		htable_free(got);
	}
	expect(!hat_probe(hat, VA + 4 * LEVEL_SIZE(1)), "the client's own table was not stolen");
	expect(hat_getpfnum(hat, VA) == page->p_pagenum && hat_getpfnum(src, VA) == page->p_pagenum, "a shared table was stolen");
	hat_free_start(hat);
	hat_unshare(hat, VA, LEVEL_SIZE(1), 0);
	expect_shared(hat, VA, 0, 0);
	hat_free_end(hat);
	drop_source(src);
}

/** Page by page, because it is only a part, or elsewhere in its table, or pageable and large, or one may look at it only so. */
static void
share_pages(void)
{
	hat_t *src = source(0, 6, RW | PROT_EXEC), *hat = hat_alloc(&wide), *none = hat_alloc(&wide);
	uintptr_t end = VA + LEVEL_SIZE(1);

	(void)hat_share(hat, VA, none, VA, LEVEL_SIZE(1), 0); /* B: nothing was loaded to be shared */
	expect_shared(hat, VA, 0, 0);
	(void)hat_share(hat, VA + 2 * PAGESIZE, src, VA + 2 * PAGESIZE, 2 * PAGESIZE, 0);
	expect_shared(hat, VA, 0, 2);
	(void)hat_unshare(hat, VA + 2 * PAGESIZE, 2 * PAGESIZE, 0);
	(void)hat_share(hat, end + PAGESIZE, src, VA, LEVEL_SIZE(1), 0);
	expect_shared(hat, end, 0, 6);
	hat_unshare(hat, end + PAGESIZE, LEVEL_SIZE(1), 0);
	(void)hat_share(hat, VA, src, VA, 4 * PAGESIZE, 0);
	expect_shared(hat, VA, 0, 4);
	hat_unshare(hat, VA, 4 * PAGESIZE, 0);
	pageable = true;
	(void)hat_share(hat, VA + PAGESIZE, src, VA, 3 * PAGESIZE, 0);
	expect_shared(hat, VA, 0, 3);
	expect(hat_page_getshare(page) == 9, "pages of a pageable segment are not recorded: %u", hat_page_getshare(page));
	hat_unshare(hat, VA + PAGESIZE, 3 * PAGESIZE, 0);
	pageable = false;
	expect_shared(hat, VA, 0, 0);
	host_free_space(none);
	host_free_space(hat);
	drop_source(src);
}

#define LARGE  LEVEL_SIZE(1)
#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */

static bool
same_frames(hat_t *a, hat_t *b, uintptr_t va, size_t len)
{
	for (size_t off = 0; off < len; off += LARGE / 2)
		if (hat_getpfnum(a, va + off) != hat_getpfnum(b, va + off))
			return (false);
	return (true);
}

/** A table of large pages is shared if it is full, and so is each of its pages alone, or the end of one. */
static void
share_large(void)
{
	size_t all = (size_t)mmu.ptes_per_table * LARGE;
	hat_t *src, *hat;

	if (mmu.max_page_level < 1 || mmu.max_level < 2)
		return;
	src = hat_alloc(&wide);
	for (uintptr_t off = 0; off < all; off += LARGE)
		hat_devload(src, VA + off, LARGE, FRAMES + (off >> PAGESHIFT), RW, HAT_LOAD_SHARE);
	hat = hat_alloc(&wide);
	(void)hat_share(hat, VA + PAGESIZE, src, VA + PAGESIZE, all - PAGESIZE, 1);
	expect(hat->hat_ism_pgcnt == 0 && !hat_probe(hat, VA), "more is seen than was asked for");
	hat_unshare(hat, VA + PAGESIZE, all - PAGESIZE, 1);
	host_free_space(hat);
	for (int turn = 0; turn < 3; turn++) {
		uintptr_t va = VA;
		htable_t *ht = NULL;

		hat = hat_alloc(&wide); /* without a table of its own, which may be kept when it is empty */
		pageable = turn == 1;   /* large tables of those are not shared: its pages may come and go */
		if (turn == 2)
			hat_unload(src, VA + 7 * LARGE, LARGE, HAT_UNLOAD);
		(void)hat_share(hat, VA, src, VA, all, 1);
		expect((hat->hat_ism_pgcnt != 0) == (turn == 0), "turn %d: %lu pages are seen", turn, hat->hat_ism_pgcnt);
		expect(same_frames(hat, src, VA, all), "turn %d: other frames", turn);
		expect(htable_walk(hat, &ht, &va, VA + all) != 0 && va == VA, "turn %d: a walk leads to 0x%lx", turn, va);
		htable_release(ht);
		hat_unshare(hat, VA, all, 1);
		host_free_space(hat);
	}
	hat = hat_alloc(&wide);
	(void)hat_share(hat, VA + PAGESIZE, src, VA + PAGESIZE, LARGE, 1);
	expect(hat_getpagesize(hat, VA + PAGESIZE) == PAGESIZE && hat_getpfnum(hat, VA + LARGE) == hat_getpfnum(src, VA + LARGE),
	    "the parts of two large pages");
	hat_unshare(hat, VA + PAGESIZE, LARGE, 1);
	host_free_space(hat);
	hat_unload(src, VA, all, HAT_UNLOAD);
	host_free_space(src);
}

/** Where the client's top table is no higher than the page, it is shown in smaller pages, or in as large ones of its own. */
static void
share_high(void)
{
	level_t top = MIN(mmu.umax_page_level, mmu.max_level);
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&narrow);
	size_t size = LEVEL_SIZE(top);

	hat_devload(src, VA, size, FRAMES, RW, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, size, 1);
	expect(hat->hat_ism_pgcnt == 0 && same_frames(hat, src, VA, size), "a page of level %d in an address space of %d levels",
	    top, TOP_LEVEL(hat) + 1);
	hat_unshare(hat, VA, size, 1);
	host_free_space(hat);
	hat_unload(src, VA, size, HAT_UNLOAD);
	host_free_space(src);
}

/** What a client only sees it cannot lend on: its own clients get the pages. */
static void
share_again(void)
{
	hat_t *src = source(0, 2, RW), *middle = hat_alloc(&wide), *hat = hat_alloc(&wide);

	(void)hat_share(middle, VA, src, VA, LEVEL_SIZE(1), 0);
	atomic_or_32(&middle->hat_flags, HAT_SHARED);
	(void)hat_share(hat, VA, middle, VA, LEVEL_SIZE(1), 0);
	expect_shared(hat, VA, 0, 2);
	hat_unshare(hat, VA, LEVEL_SIZE(1), 0);
	hat_unshare(middle, VA, LEVEL_SIZE(1), 0);
	host_free_space(hat);
	host_free_space(middle);
	drop_source(src);
}

/** Destroyed with a lock that nobody has taken back: its tables go on to the next address space without it. */
static void
locked_to_the_end(void)
{
	hat_t *hat = hat_alloc(&wide);

	hat_devload(hat, VA, PAGESIZE, FRAMES, RW, HAT_LOAD_LOCK);
	host_free_space(hat);
	expect(kas_hat->hat_ht_cached != NULL, "no table is kept for the next one");
	host_sound("an address space that went with a lock");
}

/** And with large pages, which nobody has unloaded: nothing looks at what its tables count. */
static void
large_to_the_end(void)
{
	hat_t *hat = hat_alloc(&wide);

	hat_devload(hat, VA, 3 * LARGE, FRAMES, RW, HAT_LOAD);
	hat_free_start(hat);
	hat_free_end(hat);
	host_sound("an address space that went with its pages");
}

void
edges_run(hat_t *hat)
{
	free_and_reap(hat);
	reap_amounts(hat);
	many_spaces();
	steal_passes(hat);
	exempt();
	same_base(hat);
	scan_races(hat);
	walk_elsewhere(hat);
	panicking(hat);
	wake_in_vlp();
	marked_slot(hat);
	share_whole();
	share_pages();
	share_large();
	share_high();
	share_again();
	locked_to_the_end();
	large_to_the_end();
}
