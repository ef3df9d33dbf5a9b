/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Sharing, at random: what a client sees through another address space's tables, page by page, and how it was made.
 *
 * A source of a few large pages' length has small pages, large ones and gaps; any part of it is shown anywhere. Which tables are
 * shared is worked out from the rule alone: a table whose first page is mapped, and which the range covers whole, at an address of
 * its own size.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <vm/as.h>
#include <x86/cpufunc.h>

#define PIECES  4u
#define LARGE   ((uintptr_t)LEVEL_SIZE(1))
#define PER     ((uint_t)(LARGE >> PAGESHIFT)) /* pages of a piece */
#define MOST    (PIECES * 1024u)
#define SOURCE  ((uintptr_t)0x40000000)
#define CLIENT  ((uintptr_t)0x80000000)
#define FRAMES  0xe0000ul /* of no memory */
#define TRIALS  150u
#define UNKNOWN PFN_INVALID

static struct as as_source, as_client;
static hat_t *src, *client;
static struct {
	pfn_t pfn;
	uint_t attr;
	level_t level; /* -1: nothing */
} page[MOST];
static uint64_t state;

static uint_t
rnd(uint_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return ((uint_t)(state >> 33) % n);
}

static uint_t
random_attr(void)
{
	return (PROT_READ | PROT_USER | (rnd(2) ? PROT_WRITE : 0) | (rnd(2) ? PROT_EXEC : 0));
}

static void
load(uint_t first, uint_t n, pfn_t pfn, level_t level)
{
	uint_t attr = random_attr();

	hat_devload(src, SOURCE + (uintptr_t)first * PAGESIZE, (size_t)n << PAGESHIFT, pfn, attr, HAT_LOAD_SHARE);
	for (uint_t i = first; i < first + n; i++) {
		page[i].pfn = pfn + (i - first);
		page[i].attr = attr;
		page[i].level = level;
	}
}

/** A piece: nothing, a large page, a few pages, or all of them; the first one more often than not. */
static void
fill(uint_t piece)
{
	uint_t first = piece * PER, what = rnd(5);
	bool large = mmu.max_page_level > 0 && (read_cr4() & (CR4_PAE | CR4_PSE));

	if (what == 0)
		return;
	if (what == 1 && large) {
		load(first, PER, FRAMES + (pfn_t)rnd(8) * PER, 1);
		return;
	}
	if (what == 2) {
		load(first, PER, FRAMES + 1 + rnd(100), 0);
		return;
	}
	if (rnd(4) != 0)
		load(first, 1, FRAMES + rnd(500), 0);
	for (uint_t n = rnd(8); n > 0; n--) {
		uint_t i = first + 1 + rnd(PER - 1);

		if (page[i].level < 0)
			load(i, 1, FRAMES + rnd(500), 0);
	}
}

/** What the range [from, to) of the source is for a client that sees it `shift` bytes further. */
struct view {
	uint_t from, to;
	uintptr_t shift;
};

static uintptr_t
seen_at(const struct view *v, uint_t i)
{
	return (SOURCE + (uintptr_t)i * PAGESIZE + v->shift);
}

/** Is this piece's table, if it has one, shared? */
static bool
is_shared(const struct view *v, uint_t piece)
{
	uint_t first = piece * PER;

	return (page[first].level == 0 && v->from <= first && first + PER <= v->to && seen_at(v, first) % LARGE == 0);
}

static void
expect_counts(const struct view *v)
{
	ulong_t shared = 0, mapped = 0, have = 0;

	for (uint_t i = v->from; i < v->to; i++)
		if (page[i].level >= 0)
			*(is_shared(v, i / PER) ? &shared : &mapped) += 1;
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		have += client->hat_pages_mapped[l] << (LEVEL_SHIFT(l) - PAGESHIFT);
	expect(client->hat_ism_pgcnt == shared && have == mapped,
	    "pages %u to %u, 0x%lx further: %lu shared, %lu mapped, not %lu and %lu", v->from, v->to, (ulong_t)v->shift,
	    client->hat_ism_pgcnt, have, shared, mapped);
	expect(hat_get_mapped_size(client) == (shared + mapped) << PAGESHIFT, "0x%lx bytes are mapped",
	    (ulong_t)hat_get_mapped_size(client));
}

/** How large the client's page may be: not larger than the source's, and what fits in what is left of the range. */
static bool
is_large_for_client(const struct view *v, uint_t i)
{
	uint_t first = i / PER * PER;

	return (page[i].level == 1 && v->from <= first && first + PER <= v->to && seen_at(v, first) % LARGE == 0);
}

static void
expect_page(const struct view *v, uint_t i)
{
	bool in = i >= v->from && i < v->to && page[i].level >= 0;
	uintptr_t va = seen_at(v, i);
	uint_t attr = 0;
	pfn_t pfn = hat_getpfnum(client, va);

	expect(pfn == (in ? page[i].pfn : UNKNOWN), "page %u of %u to %u, 0x%lx further: frame 0x%lx", i, v->from, v->to,
	    (ulong_t)v->shift, pfn);
	if (!in)
		return;
	expect(hat_getattr(client, va, &attr) == 0, "page %u has no attributes", i);
	expect(((attr ^ page[i].attr) & (PROT_WRITE | PROT_USER | (mmu.pt_nx != 0 ? PROT_EXEC : 0))) == 0,
	    "page %u: attributes 0x%x, not 0x%x", i, attr, page[i].attr);
	expect((hat_getpagesize(client, va) > (long)PAGESIZE) == is_large_for_client(v, i), "page %u: of %ld bytes", i,
	    hat_getpagesize(client, va));
}

/** A few pages at the borders of the range and of each piece, and some others. */
static void
expect_seen(const struct view *v)
{
	for (uint_t piece = 0; piece < PIECES; piece++) {
		for (uint_t k = 0; k < 3; k++) {
			expect_page(v, piece * PER + k);
			expect_page(v, (piece + 1) * PER - 1 - k);
		}
		for (uint_t n = 0; n < 20; n++)
			expect_page(v, piece * PER + rnd(PER));
	}
	for (uint_t k = 0; k < 2; k++) {
		expect_page(v, MIN(v->from + k, MOST - 1) % (PIECES * PER));
		expect_page(v, (v->to - 1 - k) % (PIECES * PER));
	}
	for (uint_t i = 0; i < PIECES * PER; i++)
		if (page[i].level >= 0 && (i == 0 || page[i - 1].level < 0))
			expect_page(v, i);
}

static void
expect_nothing(const struct view *v)
{
	ulong_t left = client->hat_ism_pgcnt;

	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		left += client->hat_pages_mapped[l];
	expect(left == 0, "%lu pages are left", left);
	for (uint_t i = 0; i < PIECES * PER; i += 37)
		expect(!hat_probe(client, seen_at(v, i)), "page %u is left", i);
	expect(mmu_verify(host_exempt()) == 0, "translations are left behind");
}

/** What the client reaches is what the source reaches. */
static void
touch_some(const struct view *v)
{
	paddr_t pa;

	hat_setup(client);
	for (uint_t n = 0; n < 10; n++) {
		uint_t i = v->from + rnd(v->to - v->from);

		if (page[i].level < 0)
			continue;
		expect(mmu_access(seen_at(v, i), MMU_USER, &pa) == 0 && pa == pfn_to_pa(page[i].pfn), "page %u: 0x%llx", i,
		    (unsigned long long)pa);
	}
}

/** Aligned as the source is, or not; whole pieces more often than not. */
static struct view
choose_view(void)
{
	struct view v = { .from = rnd(PIECES) * PER, .shift = CLIENT - SOURCE + rnd(3) * LARGE };

	v.to = v.from + (1 + rnd(PIECES - v.from / PER)) * PER;
	if (rnd(3) == 0)
		v.from += 1 + rnd(PER - 2);
	if (rnd(3) == 0)
		v.to -= 1 + rnd(MIN(v.to - v.from - 1, PER - 1));
	if (rnd(4) == 0)
		v.shift += (1 + rnd(20)) * PAGESIZE;
	return (v);
}

/** Without large pages empty tables stay (spec 4.5), and a private one is in the way of a shared one. */
static void
client_anew(void)
{
	hat_setup(NULL);
	host_free_space(client);
	client = hat_alloc(&as_client);
}

static void
one_view(void)
{
	struct view v = choose_view();
	uintptr_t va = seen_at(&v, v.from);
	size_t len = (size_t)(v.to - v.from) << PAGESHIFT;

	expect(hat_share(client, va, src, va - v.shift, len, 0) == 0, "not shared");
	expect_counts(&v);
	expect_seen(&v);
	touch_some(&v);
	host_sound("shared");
	hat_unshare(client, va, len, 0);
	expect_nothing(&v);
}

static void
one_trial(void)
{
	for (uint_t i = 0; i < MOST; i++)
		page[i].level = -1;
	src = hat_alloc(&as_source);
	client = hat_alloc(&as_client);
	for (uint_t piece = 0; piece < PIECES; piece++)
		fill(piece);
	for (uint_t n = 0; n < 3; n++) {
		one_view();
		if (mmu.max_page_level == 0)
			client_anew();
	}
	hat_setup(NULL);
	host_free_space(client);
	host_free_space(src);
}

void
test_share(void)
{
	host_boot();
	state = host_options->seed;
	for (uint_t n = 0; n < TRIALS; n++)
		one_trial();
	host_sound("at the end");
	printf("share: %u sources, each shown 3 times\n", TRIALS);
}
