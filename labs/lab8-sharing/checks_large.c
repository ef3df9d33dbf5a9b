/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 8: large pages, and top tables inside an address space. Reference code.
 */
#include "origin.h"
#include <check/guard.h>
#include <check/outside.h>
#include <check/scratch.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <x86/cpufunc.h>

static struct as narrow = { .a_32bit = true };

/* ------------------------------------------------------------------ lpage_level */

/* Highest level of a user's page. */
static level_t
most(const hat_t *hat)
{
	return ((hat->hat_flags & HAT_VLP) ? MIN(mmu.umax_page_level, VLP_LEVEL - 1) : mmu.umax_page_level);
}

static void
want_level(const hat_t *hat, uintptr_t va, pfn_t pfn, size_t len, level_t want)
{
	level_t have = lpage_level(hat, va, pfn, len);

	check_true(have == want, "lpage_level(va 0x%lx, frame 0x%lx, 0x%lx bytes) is %d, want %d", (ulong_t)va, (ulong_t)pfn,
	    (ulong_t)len, have, want);
}

static pfn_t
frames(level_t l)
{
	return ((pfn_t)(LEVEL_SIZE(l) >> PAGESHIFT));
}

/* Both ends aligned and long enough, to the byte. */
CHECK(large_fits, "large-fits", "lpage", 8, 4, NULL, 0)
{
	copy_on(hat);
	for (level_t l = 0; l <= most(hat); l++) {
		uintptr_t va = l < most(hat) ? LEVEL_SIZE(most(hat)) + LEVEL_SIZE(l) : LEVEL_SIZE(l);

		want_level(hat, va, 3 * frames(l), LEVEL_SIZE(l), l);
		want_level(hat, va, 3 * frames(l), 5 * LEVEL_SIZE(l) / 2 & ~(size_t)PAGEOFFSET, l);
	}
	copy_off();
}

/* One of the three does not fit: the next lower level that all of them fit. */
CHECK(large_too_large, "large-too-large", "lpage", 8, 4, NULL, 0)
{
	copy_on(hat);
	for (level_t l = 1; l <= most(hat); l++) {
		uintptr_t va = LEVEL_SIZE(l);
		pfn_t pfn = 2 * frames(l);

		want_level(hat, va + PAGESIZE, pfn + 1, 2 * LEVEL_SIZE(l), 0);
		want_level(hat, va + PAGESIZE, pfn, 2 * LEVEL_SIZE(l), 0);
		want_level(hat, va, pfn + 1, 2 * LEVEL_SIZE(l), 0);
		want_level(hat, va, pfn, LEVEL_SIZE(l) - PAGESIZE, l - 1);
		want_level(hat, va + LEVEL_SIZE(l - 1), pfn, 2 * LEVEL_SIZE(l), l - 1);
		want_level(hat, va, pfn + frames(l - 1), 2 * LEVEL_SIZE(l), l - 1);
	}
	copy_off();
}

static hat_t *vlp;

static void
free_vlp(void)
{
	hat_free_start(vlp);
	hat_free_end(vlp);
}

static level_t vlp_level;

static void
ask_vlp(void)
{
	copy_on(vlp);
	vlp_level = lpage_level(vlp, LEVEL_SIZE(mmu.umax_page_level), 0, 2 * LEVEL_SIZE(mmu.umax_page_level));
	copy_off();
}

/* A top table inside a hat holds no leaves: no CPU's copy of it would be refreshed (spec 0.1 decision 7). */
CHECK(large_inside, "large-inside", "lpage", 8, 2, NULL, 0)
{
	(void)hat;
	vlp = hat_alloc(&narrow);
	check_guarded(ask_vlp, free_vlp);
	free_vlp();
	check_eq((uint_t)vlp_level, (uint_t)MIN(mmu.umax_page_level, VLP_LEVEL - 1),
	    "lpage_level() for the largest page there is, in a hat that keeps its top table inside");
}

/* ------------------------------------------------------------------ lpage_load */

#define ATTR (PROT_READ | PROT_WRITE | PROT_USER | HAT_STORECACHING_OK)

/* Frames of no memory, for pages that nobody records. */
static pfn_t
far_frame(void)
{
	return ((pfn_t)1 << (31 - PAGESHIFT));
}

CHECK(large_load, "large-load", "lpage", 8, 3, NULL, 0)
{
	uintptr_t va = room_for(1);
	level_t l;

	if (mmu.umax_page_level < 1)
		return;
	expect_leaf(va, 1, hati_mkpte(hat, va, far_frame(), ATTR, 1, HAT_LOAD_NOCONSIST));
	copy_on(hat);
	l = lpage_load(hat, va, NULL, ATTR, HAT_LOAD | HAT_LOAD_NOCONSIST, 1, far_frame());
	copy_off();
	check_eq((uint_t)l, 1, "the level at which a large page went in, where nothing was in its way");
	check_eq(hat->hat_pages_mapped[1], 1, "hat_pages_mapped[1]");
	check_outside(hat);
	hat_unload(hat, va, LEVEL_SIZE(1), HAT_UNLOAD);
}

/* A table of small pages is there: the page goes into it, and those that were there stay. */
CHECK(large_in_the_way, "large-in-the-way", "lpage", 8, 3, NULL, 0)
{
	uintptr_t va = room_for(1), beside = va + 11 * PAGESIZE;
	page_t *pp = check_page();
	htable_t *ht;
	level_t l;

	if (mmu.umax_page_level < 1)
		return;
	hat_memload(hat, beside, pp, PROT_READ | PROT_USER, HAT_LOAD);
	ht = table_over(hat, va);
	expect_leaf(beside, 0, raw_entry(ht, htable_va2entry(beside, ht)));
	expect_leaf(va, 0, hati_mkpte(hat, va, far_frame(), ATTR, 0, HAT_LOAD_NOCONSIST));
	copy_on(hat);
	l = lpage_load(hat, va, NULL, ATTR, HAT_LOAD | HAT_LOAD_NOCONSIST, 1, far_frame());
	copy_off();
	check_eq((uint_t)l, 0, "the level at which a large page went in, where a table of small ones was in its way");
	check_eq(hat->hat_pages_mapped[1], 0, "hat_pages_mapped[1]");
	check_eq((uint32_t)ht->ht_valid_cnt, 2, "ht_valid_cnt of the table that was in the way");
	check_outside(hat);
	hat_unload(hat, va, LEVEL_SIZE(1), HAT_UNLOAD);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ hat_vlp_refresh */

#define GIB     ((uintptr_t)1 << 30)
#define AT(i)   ((uintptr_t)0x00800000 + (i)*GIB) /* one page in each gigabyte that is the user's in both kernels */
#define NGIB    3u
#define BESIDE  4u                             /* entries after the four that are looked at */
#define STRANGE ((x86pte_t)0x0000001234567000) /* not valid, and nobody's */

static struct {
	page_t *page[NGIB];
	x86pte_t want[VLP_NUM_PTES], have[VLP_NUM_PTES];
	x86pte_t kept[BESIDE], beside[BESIDE];
	uint_t read; /* pages that can be read, a bit each */
} r;

/* With a page in its first and third gigabyte. */
static void
vlp_make(void)
{
	vlp = hat_alloc(&narrow);
	for (uint_t i = 0; i < NGIB; i += 2) {
		r.page[i] = check_page();
		hat_memload(vlp, AT(i), r.page[i], PROT_READ | PROT_USER, HAT_LOAD);
	}
}

static void
vlp_end(void)
{
	hat_setup(NULL);
	for (uint_t i = 0; i < NGIB; i += 2) {
		hat_unload(vlp, AT(i), PAGESIZE, HAT_UNLOAD);
		page_free(r.page[i], 0);
	}
	free_vlp();
}

/* Behind this CPU's four entries: another CPU's, which runs no such hat now, or the rest of this one's table. */
static void
look_beside(x86pte_t *to)
{
	for (uint_t i = 0; i < BESIDE; i++)
		to[i] = pte_load(CPU->cpu_hat_info->hci_vlp_slots + VLP_NUM_PTES + i);
}

static void
put_beside(const x86pte_t *from)
{
	for (uint_t i = 0; i < BESIDE; i++)
		pte_store(CPU->cpu_hat_info->hci_vlp_slots + VLP_NUM_PTES + i, from != NULL ? from[i] : STRANGE);
}

/* What was there before: nothing, or something else, in each of the four. */
static void
refresh(void)
{
	x86pte_t *slots;

	kpreempt_disable();
	slots = CPU->cpu_hat_info->hci_vlp_slots;
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		pte_store(&slots[i], i % 2 == 0 ? 0 : STRANGE);
	look_beside(r.kept);
	put_beside(NULL);
	copy_on(vlp);
	hat_vlp_refresh(vlp);
	copy_off();
	look_beside(r.beside);
	put_beside(r.kept);
	for (uint_t i = 0; i < VLP_NUM_PTES; i++) {
		r.have[i] = pte_load(&slots[i]);
		r.want[i] = raw_entry(vlp->hat_htable, i);
	}
	kpreempt_enable();
}

/* Where top tables have a frame of their own there is nothing to refresh, but a stub is seen. */
static bool
no_vlp(hat_t *hat)
{
	return (!(hat->hat_flags & HAT_VLP));
}

CHECK(refresh_four, "refresh-four", "hat_vlp_refresh", 8, 3, NULL, 0)
{
	(void)hat;
	vlp_make();
	if (!no_vlp(vlp))
		check_guarded(refresh, vlp_end);
	vlp_end();
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		check_true(r.have[i] == r.want[i], "entry %u that this CPU's MMU uses is 0x%llx, the hat's is 0x%llx", i,
		    (unsigned long long)r.have[i], (unsigned long long)r.want[i]);
}

CHECK(refresh_beside, "refresh-beside", "hat_vlp_refresh", 8, 2, NULL, 0)
{
	bool done;

	(void)hat;
	vlp_make();
	done = !no_vlp(vlp);
	if (done)
		check_guarded(refresh, vlp_end);
	vlp_end();
	for (uint_t i = 0; i < BESIDE; i++)
		check_true(!done || r.beside[i] == STRANGE, "entry %u, behind this CPU's four, was 0x%llx and is 0x%llx",
		    VLP_NUM_PTES + i, (unsigned long long)STRANGE, (unsigned long long)r.beside[i]);
}

static hat_t *other; /* ran here before, with a page where ours has none */

/* A switch to the hat shows it to the MMU. */
static void
switch_to(void)
{
	uint32_t word;

	kpreempt_disable();
	hat_setup(other);
	copy_on(vlp);
	hat_setup(vlp);
	copy_off();
	r.read = 0;
	for (uint_t i = 0; i < NGIB; i++)
		r.read |= peek((void *)AT(i), &word, sizeof(word)) ? 1u << i : 0;
	hat_setup(NULL);
	kpreempt_enable();
}

static void
switch_end(void)
{
	vlp_end();
	hat_unload(other, AT(1), PAGESIZE, HAT_UNLOAD);
	hat_free_start(other);
	hat_free_end(other);
}

CHECK(refresh_switch, "refresh-switch", "hat_vlp_refresh", 8, 3, NULL, 0)
{
	page_t *pp = check_page();

	(void)hat;
	vlp_make();
	other = hat_alloc(&narrow);
	hat_memload(other, AT(1), pp, PROT_READ | PROT_USER, HAT_LOAD);
	check_guarded(switch_to, switch_end);
	switch_end();
	page_free(pp, 0);
	check_eq(r.read, 5, "gigabytes with a page that can be read on this CPU after a switch, a bit each");
}

/* Another CPU looks at this one's entries all the time: it sees an old one or a new one, never half of each. */
#define ONE    0x1111111011111000ull
#define TWO    0x2222222022222000ull
#define ROUNDS 401u /* the last one is TWO */

static struct {
	x86pte_t *slots;
	volatile bool stop, running;
	volatile x86pte_t torn;
	x86pte_t last[VLP_NUM_PTES]; /* what this CPU's MMU uses after the last change */
	x86pte_t kept[VLP_NUM_PTES];
	kthread_t *thread;
} watch;

static void
watch_main(void *arg)
{
	(void)arg;
	while (!watch.stop) {
		for (uint_t i = 0; i < VLP_NUM_PTES; i++) {
			x86pte_t e = pte_load(&watch.slots[i]);

			if (e != ONE && e != TWO)
				watch.torn = e;
		}
		watch.running = true;
	}
}

static void
change_all(x86pte_t e)
{
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		vlp->hat_vlp_ptes[i] = e;
	hat_vlp_refresh(vlp);
}

static void
unwatch(void)
{
	watch.stop = true;
	if (watch.thread != NULL)
		thread_join(watch.thread);
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		vlp->hat_vlp_ptes[i] = watch.kept[i];
	vlp_end();
}

/* The hat runs nowhere, so nobody walks what stands in its entries meanwhile. */
static void
refresh_many(void)
{
	copy_on(vlp);
	for (uint_t i = 0; i < ROUNDS && watch.torn == 0; i++) {
		change_all(i % 2 == 0 ? TWO : ONE);
		for (uint_t n = i % 17; n > 0; n--)
			__asm__ volatile("" : : : "memory");
	}
	copy_off();
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		watch.last[i] = pte_load(&watch.slots[i]);
}

CHECK(refresh_whole, "refresh-whole", "hat_vlp_refresh", 8, 2, NULL, 0)
{
	(void)hat;
	vlp_make();
	if (no_vlp(vlp)) {
		vlp_end();
		return;
	}
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		watch.kept[i] = vlp->hat_vlp_ptes[i];
	watch.torn = 0;
	watch.thread = NULL;
	watch.stop = watch.running = false;
	kpreempt_disable();
	watch.slots = CPU->cpu_hat_info->hci_vlp_slots;
	change_all(ONE);
	if (ncpus > 1)
		watch.thread = thread_create_on(cpu[CPU->cpu_id == 0], "watch", watch_main, NULL);
	while (ncpus > 1 && !watch.running)
		pause();
	check_guarded(refresh_many, unwatch);
	kpreempt_enable();
	unwatch();
	for (uint_t i = 0; i < VLP_NUM_PTES && watch.torn == 0; i++)
		check_eq(watch.last[i], TWO, "an entry that this CPU's MMU uses, after many changes");
	check_true(watch.torn == 0, "another CPU has seen half of an old entry and half of a new one: 0x%llx",
	    (unsigned long long)watch.torn);
}
