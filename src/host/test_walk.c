/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The walk where it is hard: ends of the address space, races, leaves higher up than most.
 */
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <memmap.h>

#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */

/** Everything that the walk finds from `va` on, which must be these. */
static void
expect_walk(hat_t *hat, uintptr_t va, uintptr_t end, const uintptr_t *want, uint_t n)
{
	htable_t *ht = NULL;

	for (uint_t i = 0; i <= n; i++) {
		x86pte_t pte = va < end ? htable_walk(hat, &ht, &va, end) : 0;

		if (i == n) {
			expect(pte == 0, "the walk finds 0x%lx too", va);
			break;
		}
		expect(pte != 0, "the walk does not find 0x%lx", want[i]);
		expect(va == want[i], "the walk finds 0x%lx instead of 0x%lx", va, want[i]);
		va += LEVEL_SIZE(ht->ht_level);
	}
	if (va >= end)
		htable_release(ht);
	else
		expect(ht == NULL && va == 0, "at its end the walk leaves table %p, address 0x%lx", (void *)ht, va);
}

/** D8: the first page, the last one below the hole, the first above it, the last below kernelbase. */
static void
walk_ends(page_t *pp)
{
	hat_t *hat = hat_alloc(&wide);
	uintptr_t edge = (uintptr_t)1 << (mmu.num_level == 4 ? 47 : 31);
	const uintptr_t want[] = { 0, edge - PAGESIZE, -edge, kernelbase - PAGESIZE };

	expect_walk(hat, 0, HTABLE_WALK_TO_END, NULL, 0);
	expect_walk(hat, kernelbase - PAGESIZE, HTABLE_WALK_TO_END, NULL, 0);
	for (uint_t i = 0; i < NELEM(want); i++)
		hat_memload(hat, want[i], pp, RW, HAT_LOAD);
	expect_walk(hat, 0, HTABLE_WALK_TO_END, want, 4);
	expect_walk(hat, 0, kernelbase, want, 4);
	expect_walk(hat, PAGESIZE, HTABLE_WALK_TO_END, want + 1, 3);
	expect_walk(hat, edge - PAGESIZE, HTABLE_WALK_TO_END, want + 1, 3);
	expect_walk(hat, 0, edge - PAGESIZE, want, 1);
	expect_walk(hat, -edge, HTABLE_WALK_TO_END, want + 2, 2);
	if (mmu.num_level == 4)
		expect_walk(hat, mmu.hole_start + 0x12345000, HTABLE_WALK_TO_END, want + 2, 2);
	host_free_space(hat);
	expect_walk(kas_hat, UINTPTR_MAX & PAGEMASK, HTABLE_WALK_TO_END, NULL, 0);
}

/** C-12: an address space without any leaf, whose walk wraps from the last address to 0: only the kernel's has no other end. */
static void
walk_nothing(void)
{
	hat_t *kernel = kas_hat, *hat = hat_create_bare(NULL);

	hat->hat_htable = htable_create(hat, 0, mmu.max_level, NULL);
	kas_hat = hat;
	expect_walk(hat, 0, HTABLE_WALK_TO_END, NULL, 0);
	kas_hat = kernel;
	hat->hat_flags |= HAT_FREEING;
	htable_purge_hat(hat);
	hat_destroy_bare(hat);
}

static hat_t *race_hat;
static page_t *race_page;
static uintptr_t race_va;

/** What another CPU does between a miss at level 0 and the look at level 1. */
static void
race(void)
{
	host_between = NULL;
	host_on(1);
	hat_memload(race_hat, race_va, race_page, RW, HAT_LOAD);
	host_on(0);
}

/** C-13: the table appears while the walk is under way; it is found, and so is what lies beyond. */
static void
walk_race(page_t *pp)
{
	hat_t *hat = hat_alloc(&wide);
	uintptr_t at = 0x40000000 + 2 * LEVEL_SIZE(1), beyond = at + 2 * LEVEL_SIZE(1);
	const uintptr_t both[] = { at + 7 * PAGESIZE, beyond };

	race_hat = hat;
	race_page = pp;
	for (int below = 0; below < 2; below++) {
		hat_devload(hat, beyond, LEVEL_SIZE(1), 0xe0000, RW, HAT_LOAD);
		race_va = below ? at + 2 * PAGESIZE : both[0];
		host_between = race;
		expect_walk(hat, at + 5 * PAGESIZE, HTABLE_WALK_TO_END, both + below, 2 - below);
		expect(host_between == NULL, "the race did not happen");
		host_unload_user(hat);
	}
	host_free_space(hat);
}

/* ------------------------------------------------------------------ where it ends */

/** C-10: four entries of 1 GiB are all that a 32-bit process has, whatever end one says; where a kernel's addresses begin, its own end. */
static void
walk_narrow(page_t *pp)
{
	hat_t *hat = hat_alloc(&narrow);
	uintptr_t end = hat_user_end(hat);
	const uintptr_t want[] = { VA, end - PAGESIZE };

	for (uint_t i = 0; i < NELEM(want); i++)
		hat_memload(hat, want[i], pp, RW, HAT_LOAD);
	expect_walk(hat, 0, HTABLE_WALK_TO_END, want, 2);
	expect_walk(hat, 0, kernelbase, want, 2);
	if (end < kernelbase) {
		expect_walk(hat, end, HTABLE_WALK_TO_END, NULL, 0);
		expect_walk(hat, 2 * end, kernelbase, NULL, 0);
	}
	host_free_space(hat);
}

/** The range ends where a table with leaves, or a large leaf, begins. */
static void
walk_before(page_t *pp)
{
	hat_t *hat = hat_alloc(&wide);
	uintptr_t end = VA + 4 * LEVEL_SIZE(1);

	for (level_t l = 0; l <= mmu.umax_page_level; l++) {
		uintptr_t size = LEVEL_SIZE(l), at = ROUNDUP(end, size);

		if (l == 0)
			hat_memload(hat, at, pp, RW, HAT_LOAD);
		else
			hat_devload(hat, at, size, FRAMES, RW, HAT_LOAD);
		expect_walk(hat, VA, at, NULL, 0);
		expect_walk(hat, VA, at + PAGESIZE, &at, 1);
		host_unload_user(hat);
	}
	host_free_space(hat);
}

/** The last large page of a user's, in a table that goes on behind it: no hold on that is left when the walk comes back for more. */
static void
walk_last_large(void)
{
	level_t l = mmu.umax_page_level;
	hat_t *hat = hat_alloc(&wide);
	uintptr_t at = hat_user_end(hat) - LEVEL_SIZE(l);
	int32_t holds = hat->hat_htable->ht_busy;
	htable_t *ht;

	hat_devload(hat, at, LEVEL_SIZE(l), FRAMES, RW, HAT_LOAD);
	ht = htable_lookup(hat, at, l);
	holds = ht->ht_busy;
	expect_walk(hat, 0, HTABLE_WALK_TO_END, &at, 1);
	expect(ht->ht_busy == holds, "%d holds on the table of the last page, not %d", ht->ht_busy, holds);
	htable_release(ht);
	host_free_space(hat);
}

/* ------------------------------------------------------------------ large leaves */

/** The kernel's, which boot has made, may be larger than users' may be. */
static void
walk_kernel_large(void)
{
	level_t umax = mmu.umax_page_level;
	const uintptr_t va = KERNEL_OFFSET + 0x400000;
	size_t size = (size_t)hat_getpagesize(kas_hat, va);

	mmu.umax_page_level = 0;
	expect_walk(kas_hat, va, va + size, &va, 1);
	mmu.umax_page_level = umax;
	expect((size > PAGESIZE) == (umax > 0), "the kernel's data are in pages of 0x%lx bytes", (ulong_t)size);
}

void
walk_run(page_t *pp)
{
	walk_ends(pp);
	walk_nothing();
	if (ncpus > 1 && mmu.max_page_level > 0)
		walk_race(pp);
	walk_narrow(pp);
	walk_before(pp);
	walk_last_large();
	walk_kernel_large();
}
