/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Sharing and large pages where chance does not come: tables of large pages, sharing once more, what is refused, the sizes of pages.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>

#define LARGE  LEVEL_SIZE(1)
#define NLARGE ((ulong_t)(LARGE >> PAGESHIFT))
#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */
#define READ   (PROT_READ | PROT_USER)

static void
expect_pages(hat_t *hat, ulong_t shared, ulong_t small, ulong_t large, const char *what)
{
	expect(hat->hat_ism_pgcnt == shared && hat->hat_pages_mapped[0] == small && hat->hat_pages_mapped[1] == large,
	    "%s: %lu pages are seen, %lu small and %lu large ones mapped, not %lu, %lu and %lu", what, hat->hat_ism_pgcnt,
	    hat->hat_pages_mapped[0], hat->hat_pages_mapped[1], shared, small, large);
}

static void
end_source(hat_t *src)
{
	host_unload_user(src);
	host_free_space(src);
}

/* ------------------------------------------------------------------ tables of large pages */

/** A full table of them is shared, and each counts for as many pages as it has; one with a single link among them is not. */
static void
large_tables(void)
{
	ulong_t n = mmu.ptes_per_table;
	size_t all = n * LARGE;
	uintptr_t link = VA + 7 * LARGE;
	hat_t *src, *hat;

	if (mmu.max_page_level < 1 || mmu.max_level < 2)
		return;
	src = hat_alloc(&wide);
	hat_devload(src, VA, all, FRAMES, RW, HAT_LOAD_SHARE);
	if (src->hat_pages_mapped[1] != n) { /* it became one page of 1 GiB: so each by itself */
		hat_unload(src, VA, all, HAT_UNLOAD);
		for (uintptr_t off = 0; off < all; off += LARGE)
			hat_devload(src, VA + off, LARGE, FRAMES + (off >> PAGESHIFT), RW, HAT_LOAD_SHARE);
	}
	hat = hat_alloc(&wide);
	(void)hat_share(hat, VA, src, VA, all, 1);
	expect_pages(hat, n * NLARGE, 0, 0, "a table of large pages");
	hat_unshare(hat, VA, all, 1);
	expect_pages(hat, 0, 0, 0, "no longer shared");
	host_free_space(hat);
	hat_unload(src, link, LARGE, HAT_UNLOAD);
	hat_devload(src, link, PAGESIZE, FRAMES, RW, HAT_LOAD_SHARE);
	hat = hat_alloc(&wide);
	(void)hat_share(hat, VA, src, VA, all, 1);
	expect_pages(hat, 1, 0, n - 1, "a table with a link among large pages");
	hat_unshare(hat, VA, all, 1);
	expect_pages(hat, 0, 0, 0, "no longer mapped");
	host_free_space(hat);
	end_source(src);
}

/* ------------------------------------------------------------------ sharing once more, and at the bottom */

/** Only a part of what is shared already: it stays shared, with the source's new count, and nothing is mapped beside it. */
static void
part_again(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);
	htable_t *ht;

	hat_memload(src, VA, page, RW, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, LARGE, 0);
	hat_memload(src, VA + 2 * PAGESIZE, page, RW, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, PAGESIZE, 0);
	expect_pages(hat, 2, 0, 0, "a part of a shared table");
	ht = htable_lookup(src, VA, 0);
	expect(ht->ht_busy == 2, "%d holds on the source's table", ht->ht_busy);
	htable_release(ht);
	hat_unshare(hat, VA, LARGE, 0);
	expect_pages(hat, 0, 0, 0, "no longer shared");
	host_free_space(hat);
	end_source(src);
}

static void
no_end(unsigned long pc)
{
	panic("hat_unshare: does not end (0x%lx)", pc);
}

/** At address 0, where each level has a table that begins. */
static void
at_the_bottom(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);

	hat_memload(src, 0, page, RW, HAT_LOAD_SHARE);
	(void)hat_share(hat, 0, src, 0, LARGE, 0);
	expect_pages(hat, 1, 0, 0, "address 0");
	machine_patience(1000, no_end);
	hat_unshare(hat, 0, LARGE, 0);
	machine_patience(0, no_end);
	expect_pages(hat, 0, 0, 0, "address 0");
	host_free_space(hat);
	end_source(src);
}

/** A page that is not for users is not for the client's either. */
static void
no_users(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);
	uintptr_t va = VA + PAGESIZE;
	uint_t attr;

	hat_memload(src, va, page, PROT_READ, HAT_LOAD_SHARE);
	(void)hat_share(hat, va, src, va, PAGESIZE, 0);
	expect(hat_getattr(hat, va, &attr) == 0 && !(attr & PROT_USER), "a page that is not for users has attributes 0x%x", attr);
	hat_unshare(hat, va, PAGESIZE, 0);
	host_free_space(hat);
	end_source(src);
}

/** Spec 6: without a shared table there is nothing to flush. */
static void
nothing_shared(void)
{
	hat_t *hat = hat_alloc(&wide);
	ulong_t before = hatstat.hs_tlb_invals;

	hat_unshare(hat, VA, 2 * LARGE, 0);
	expect(hatstat.hs_tlb_invals == before, "%lu flushes where nothing was shared", hatstat.hs_tlb_invals - before);
	host_free_space(hat);
}

/* ------------------------------------------------------------------ what is refused */

static hat_t *client, *second;

static void
share_second(void *arg)
{
	(void)arg;
	(void)hat_share(client, VA, second, VA, LARGE, 0);
}

/** Where a table shows one source, another one cannot be shown. */
static void
other_source(void)
{
	hat_t *first = hat_alloc(&wide);
	htable_t *mine, *a, *b;
	char want[160], text[160];

	client = hat_alloc(&wide);
	second = hat_alloc(&wide);
	hat_memload(first, VA, page, RW, HAT_LOAD_SHARE);
	hat_memload(second, VA, page, RW, HAT_LOAD_SHARE);
	(void)hat_share(client, VA, first, VA, LARGE, 0);
	mine = htable_lookup(client, VA, 0);
	a = htable_lookup(first, VA, 0);
	b = htable_lookup(second, VA, 0);
	snprintf(want, sizeof(want), "hat_share: table %p shares from %p, not from %p", (void *)mine, (void *)a, (void *)b);
	expect(machine_try(share_second, NULL, text, sizeof(text)), "two sources are seen through one table");
	panicstr = NULL;
	expect(strcmp(text, want) == 0, "\"%s\" instead of \"%s\"", text, want);
	htable_release(mine);
	htable_release(mine); /* what hat_share() had */
	htable_release(a);
	htable_release(b);
	htable_release(b);
	hat_unshare(client, VA, LARGE, 0);
	host_free_space(client);
	end_source(first);
	end_source(second);
}

/* ------------------------------------------------------------------ sizes of pages */

static void
expect_level(const hat_t *hat, level_t want, const char *whose)
{
	level_t have = lpage_level(hat, 0, 0, mmu.num_level == 4 ? mmu.hole_start : (uintptr_t)1 << 31);

	expect(have == want, "%s: the largest page is one of level %d instead of %d", whose, have, want);
}

/** However large and well aligned a range is: the kernel's limit, a user's, which may be lower, and that of 4 GiB address spaces. */
static void
limits(hat_t *hat)
{
	hat_t *low = hat_alloc(&narrow);
	level_t max = mmu.umax_page_level, vlp = low->hat_flags & HAT_VLP ? 1 : MAX_PAGE_LEVEL;

	expect_level(kas_hat, mmu.max_page_level, "the kernel");
	expect_level(hat, max, "a user");
	expect_level(low, MIN(max, vlp), "a 32-bit process");
	if (max > 0) {
		mmu.umax_page_level--;
		expect_level(kas_hat, mmu.max_page_level, "the kernel, which may more than users");
		expect_level(hat, max - 1, "a user, who may less than the kernel");
		mmu.umax_page_level++;
	}
	host_free_space(low);
}

static void
load_somewhere(void *hat)
{
	(void)lpage_load(hat, VA, NULL, READ, HAT_LOAD, mmu.umax_page_level, FRAMES);
}

/** In the way at every level: each is tried once, and then there is none left. */
static void
no_level(hat_t *hat)
{
	uint_t levels = (uint_t)mmu.umax_page_level + 1;
	char want[80], text[160];

	snprintf(want, sizeof(want), "lpage_load: 0x%lx cannot be mapped at any level", VA);
	host_in_the_way = 10;
	expect(machine_try(load_somewhere, hat, text, sizeof(text)), "it was mapped");
	panicstr = NULL;
	expect(strcmp(text, want) == 0, "\"%s\" instead of \"%s\"", text, want);
	expect(host_in_the_way == 10 - levels, "%u of %u levels were tried", 10 - host_in_the_way, levels);
	host_in_the_way = 0;
}

void
sharing_run(hat_t *hat)
{
	large_tables();
	part_again();
	at_the_bottom();
	no_users();
	nothing_shared();
	other_source();
	limits(hat);
	no_level(hat);
}
