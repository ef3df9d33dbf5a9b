/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What an upper layer may not do (vm/hat.h, "misuse"): an assertion with DEBUG, and without it nothing happens at all.
 */
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <memmap.h>

#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */

struct misuse {
	hat_t *hat, *other;
	uintptr_t va;
	size_t len;
	void (*call)(const struct misuse *m);
};

static void
do_call(void *arg)
{
	const struct misuse *m = arg;

	m->call(m);
}

/** Its last page, should the range end where there is one. */
static uintptr_t
last_page(const struct misuse *m)
{
	uintptr_t va = m->va + m->len - PAGESIZE;

	return (va < m->va ? m->va : va);
}

static void
load(const struct misuse *m)
{
	hat_memload(m->hat, last_page(m), page, RW, HAT_LOAD);
}
static void
load_array(const struct misuse *m)
{
	hat_memload_array(m->hat, m->va, m->len, &page, RW, HAT_LOAD);
}
static void
load_frames(const struct misuse *m)
{
	hat_devload(m->hat, m->va, m->len, 0xe0, RW, HAT_LOAD);
}
static void
unload(const struct misuse *m)
{
	hat_unload(m->hat, m->va, m->len, HAT_UNLOAD);
}
static void
unlock(const struct misuse *m)
{
	hat_unlock(m->hat, m->va, m->len);
}
static void
protect(const struct misuse *m)
{
	hat_chgprot(m->hat, m->va, m->len, PROT_READ);
}
static void
share_there(const struct misuse *m)
{
	(void)hat_share(m->hat, m->va, m->other, VA, m->len, 0);
}
static void
share_from(const struct misuse *m)
{
	(void)hat_share(m->other, VA, m->hat, m->va, m->len, 0);
}
static void
unshare(const struct misuse *m)
{
	hat_unshare(m->hat, m->va, m->len, 0);
}
static void
page_unload(const struct misuse *m)
{
	(void)m, (void)hat_pageunload(page, HAT_FORCE_PGUNLOAD);
}
static void
page_demote(const struct misuse *m)
{
	(void)m, hat_page_demote(page);
}

static void (*const calls[])(const struct misuse *m) = {
	load_array,
	load_frames,
	unload,
	unlock,
	protect,
	share_there,
	share_from,
	unshare,
	load,
};

/** It stops at an assertion where there are any. @return whether it did */
static bool
stops(struct misuse *m, const char *what)
{
	char text[160];
	int depth = curthread->t_hatdepth;
	bool stopped = machine_try(do_call, m, text, sizeof(text)) != 0;

#ifdef DEBUG
	expect(stopped, "%s, 0x%lx and 0x%lx bytes: nothing noticed it", what, m->va, (ulong_t)m->len);
#else
	expect(!stopped, "%s, 0x%lx and 0x%lx bytes: %s", what, m->va, (ulong_t)m->len, text);
#endif
	panicstr = NULL;
	curthread->t_hatdepth = depth;
	return (stopped);
}

/** Every call with every range that may not be. */
static void
bad_ranges(hat_t *hat, hat_t *other)
{
	uintptr_t end = hat_user_end(hat), hole = mmu.num_level == 4 ? mmu.hole_start : end;
	const struct {
		uintptr_t va;
		size_t len;
	} ranges[] = {
		{ VA + 8, PAGESIZE },
		{ VA, PAGESIZE + 8 },
		{ end - PAGESIZE, 2 * PAGESIZE },
		{ hole - PAGESIZE, 2 * PAGESIZE },
		{ hole + 8 * PAGESIZE, PAGESIZE },
		{ -(uintptr_t)PAGESIZE, 2 * PAGESIZE },
	};

	for (uint_t r = 0; r < NELEM(ranges); r++)
		for (uint_t c = 0; c < NELEM(calls); c++)
			(void)stops(&(struct misuse){ hat, other, ranges[r].va, ranges[r].len, calls[c] }, "a bad range");
	for (uint_t c = 0; c < 3; c++) {
		struct misuse m = { kas_hat, other, kernelbase - PAGESIZE, 2 * PAGESIZE, calls[c] };

		(void)stops(&m, "across kernelbase");
	}
	for (uint_t c = 0; c + 1 < NELEM(calls); c++) /* nothing is asked for: no mistake */
		calls[c](&(struct misuse){ hat, other, VA, 0, NULL });
	expect(hat->hat_pages_mapped[0] == 0 && other->hat_pages_mapped[0] == 0, "something was mapped");
}

/** An assertion leaves the walk's hold on the table behind. */
static void
forget_hold(hat_t *hat, bool stopped)
{
	htable_t *ht = htable_lookup(hat, VA, 0);

	htable_release(ht);
	if (stopped)
		htable_release(ht);
}

/** N6: unlocking what is not locked, by both ways. */
static void
not_locked(hat_t *hat)
{
	hat_memload(hat, VA, page, RW, HAT_LOAD);
	forget_hold(hat, stops(&(struct misuse){ hat, NULL, VA, PAGESIZE, unlock }, "unlocking what is not locked"));
	hat_unlock(kas_hat, KERNEL_OFFSET, PAGESIZE); /* nothing of the kernel's is ever locked: no mistake */
	expect(hat_probe(hat, VA), "the page is gone");
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

/** A client may not unload what it sees through a source's table, nor share what was not loaded for it. */
static void
not_its_own(hat_t *hat, hat_t *other)
{
	for (uint_t i = 0; i < 2; i++)
		hat_memload(other, VA + i * PAGESIZE, page, RW, HAT_LOAD_SHARE);
	rob_all(); /* a table of its own at VA, kept though it is empty, would show the pages one by one */
	(void)hat_share(hat, VA, other, VA, LEVEL_SIZE(1), 0);
	for (uint_t n = 1; n <= 2; n++)
		forget_hold(hat, stops(&(struct misuse){ hat, NULL, VA, n * PAGESIZE, unload }, "unloading what is shared"));
	forget_hold(
	    hat, stops(&(struct misuse){ hat, NULL, VA, LEVEL_SIZE(1) - PAGESIZE, unshare }, "unsharing a part of a table"));
	(void)stops(&(struct misuse){ hat, NULL, VA, LEVEL_SIZE(1) + 8, unshare }, "unsharing a part of a page");
	protect(&(struct misuse){ hat, NULL, VA, PAGESIZE, NULL }); /* what is seen is the source's: left as it is */
	expect(hat_getpfnum(hat, VA + PAGESIZE) == page->p_pagenum, "a shared page is gone");
	hat_unshare(hat, VA, LEVEL_SIZE(1), 0);
	hat_unload(other, VA, LEVEL_SIZE(1), HAT_UNLOAD);
}

#ifndef DEBUG
/** C-23: where nothing asserts that, a client may end while it still sees a table, and the source has it to itself again. */
static void
ends_with_shares(hat_t *src)
{
	hat_t *hat = hat_alloc(&wide);
	htable_t *ht;

	hat_memload(src, VA, page, RW, HAT_LOAD_SHARE);
	hat_devload(hat, VA + LEVEL_SIZE(1), PAGESIZE, FRAMES, RW, HAT_LOAD); /* and a table of its own */
	(void)hat_share(hat, VA, src, VA, LEVEL_SIZE(1), 0);
	host_free_space(hat);
	ht = htable_lookup(src, VA, 0);
	expect(ht->ht_busy == 1, "%d holds on a table that nobody shares any more", ht->ht_busy);
	htable_release(ht);
	hat_unload(src, VA, PAGESIZE, HAT_UNLOAD);
}
#endif

/** Whatever the size of the page that was not loaded to be shared. */
static void
not_for_sharing(hat_t *hat)
{
	for (level_t l = 0; l <= mmu.umax_page_level; l++) {
		struct misuse m = { hat, hat_alloc(&wide), VA, LEVEL_SIZE(l), share_there };

		hat_devload(m.other, VA, LEVEL_SIZE(l), FRAMES, RW, HAT_LOAD);
		expect(m.other->hat_pages_mapped[l] == 1, "no page of level %d", l);
		(void)stops(&m, "sharing what was not loaded to be shared");
		expect(hat->hat_ism_pgcnt == 0 && hat->hat_pages_mapped[0] == 0, "it was shared");
		expect(hat_share(hat, VA, m.other, VA, 0, 0) == 0, "sharing nothing gives something");
		hat_unload(m.other, VA, LEVEL_SIZE(l), HAT_UNLOAD);
		host_free_space(m.other);
	}
}

/** Neither with itself, nor with the kernel: even if there is something to be shared. */
static void
not_with_these(void)
{
	hat_t *src = hat_alloc(&wide);
	struct misuse itself = { src, src, VA + LEVEL_SIZE(1), LEVEL_SIZE(1), share_there };
	struct misuse kernel = { kas_hat, src, VA + LEVEL_SIZE(1), LEVEL_SIZE(1), share_there };
	ulong_t pages = kas_hat->hat_pages_mapped[0];

	hat_memload(src, VA, page, RW, HAT_LOAD_SHARE);
	(void)stops(&itself, "sharing with itself");
	(void)stops(&kernel, "sharing with the kernel");
	expect(src->hat_pages_mapped[0] == 1 && kas_hat->hat_pages_mapped[0] == pages &&
		(src->hat_ism_pgcnt | kas_hat->hat_ism_pgcnt) == 0,
	    "it was shared");
	hat_unload(src, VA, PAGESIZE, HAT_UNLOAD);
	host_free_space(src);
}

/** The page's lock is shared, and all its mappings are to go. */
static void
not_exclusive(hat_t *hat)
{
	page_downgrade(page);
	(void)stops(&(struct misuse){ .call = page_unload }, "hat_pageunload");
	(void)stops(&(struct misuse){ .call = page_demote }, "hat_page_demote");
	expect(page_tryupgrade(page), "the page's lock");
	hat_page_demote(page);
	expect(!hat_probe(hat, VA) && page->p_szc == 0, "the page");
}

void
test_misuse(void)
{
	hat_t *hat, *other;

	host_boot();
	page = page_get(PAGE_USER);
	hat = hat_alloc(&wide);
	other = hat_alloc(&wide);
	bad_ranges(hat, other);
	not_locked(hat);
	not_its_own(hat, other);
#ifndef DEBUG
	ends_with_shares(other);
#endif
	not_for_sharing(hat);
	not_with_these();
	not_exclusive(hat);
	host_free_space(other);
	host_free_space(hat);
	page_free(page, 1);
	host_sound("at the end");
	printf("misuse: ranges, locks, shared tables, pages\n");
}
