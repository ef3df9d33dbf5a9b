/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Scenarios about tables that come and go.
 */
#include <host/sched/scene.h>

static void
load_far(void)
{
	hat_memload(space, FAR, page[2], RW, HAT_LOAD);
}

static void
unload_first(void)
{
	hat_unload(space, VA, PAGESIZE, HAT_UNLOAD);
}

static void
expect_mapped(uintptr_t va, uint_t i)
{
	expect(hat_getpfnum(space, va) == page[i]->p_pagenum, "0x%lx is not mapped to its page", va);
}

static void
first_and_second(void)
{
	expect_mapped(VA, 0);
	expect_mapped(VA2, 1);
}

static void
second_only(void)
{
	expect(!hat_probe(space, VA), "the first page is still mapped");
	expect_mapped(VA2, 1);
}

/* ------------------------------------------------------------------ lookup against release */

static void
look_first(void)
{
	pfn_t pfn = hat_getpfnum(space, VA);

	expect(pfn == PFN_INVALID || pfn == page[0]->p_pagenum, "hat_getpfnum() finds frame 0x%lx", pfn);
}

/* ------------------------------------------------------------------ a table goes while the MMU may know it */

/** CPU 1 remembers the way to the table, and nothing that it says. */
static void
way_is_known(void)
{
	load_first();
	world_runs(space, CPUSET(1));
	host_on(1);
	expect(world_access(VA2, false) == NULL, "a page that is not there can be read");
	host_on(0);
}

static void
read_first(void)
{
	page_t *pp = world_access(VA, false);

	expect(pp == NULL || pp == page[0], "a program at the first address reads another page");
}

static void
read_twice(void)
{
	read_first();
	read_first();
}

/** The table that goes becomes another one's, and says something else. */
static void
unload_first_load_far(void)
{
	unload_first();
	load_far();
}

/* ------------------------------------------------------------------ the stealer */

/** Two pages in use, by CPU 1 too. */
static void
two_pages_run(void)
{
	two_pages();
	world_runs(space, CPUSET(1));
	host_on(1);
	expect(world_access(VA, true) == page[0], "the first page cannot be written");
	host_on(0);
}

/** As a fault is handled: until the access works. */
static void
write_first(void)
{
	for (uint_t n = 0; world_access(VA, true) != page[0]; n++) {
		expect(n < 4, "the first page cannot be written though it is loaded again and again");
		load_first();
	}
}

static void
write_is_noted(void)
{
	expect((page[0]->p_nrm & P_MOD) || (hat_pagesync(page[0], 0) & P_MOD), "a write is noted nowhere");
}

/** Another table of the lowest level, no other. */
static void
load_next(void)
{
	hat_memload(space, VA + LARGE, page[2], RW, HAT_LOAD);
}

/** It is there, whatever became of the tables above both. */
static void
next_only(void)
{
	expect(!hat_probe(space, VA), "the first page is still mapped");
	expect_mapped(VA + LARGE, 2);
}

/** The stack of cached tables is not empty. */
static void
one_cached(void)
{
	load_first();
	load_next();
	hat_unload(space, VA + LARGE, PAGESIZE, HAT_UNLOAD);
}

/* ------------------------------------------------------------------ a walk, and a table that appears before it */

#define DEVICE 0xe0000000ull /* no memory is there: a large page of it is as good as any */
#define BEHIND (VA - (VA & LEVEL_OFFSET(1)) + LARGE)

static void
large_page_behind(void)
{
	hat_devload(space, BEHIND, LARGE, pa_to_pfn(DEVICE), RW, HAT_LOAD);
}

/** What is there all the time is found. */
static void
walk_to_it(void)
{
	uintptr_t va = VA;
	htable_t *ht = NULL;
	bool found = false;

	while (!found && va < BEHIND + LARGE && htable_walk(space, &ht, &va, BEHIND + LARGE) != 0) {
		found = va == BEHIND;
		va += LEVEL_SIZE(ht->ht_level);
	}
	htable_release(ht);
	expect(found, "a walk does not find the page at 0x%lx", BEHIND);
}

const struct scene scenes_tables[] = {
	{ "create-create", 2, NULL, { load_first, load_second }, first_and_second, 0 },
	{ "create-release", 2, load_first, { unload_first, load_second }, second_only, 0 },
	{ "lookup-release", 2, load_first, { look_first, unload_first }, NULL, 0 },
	{ "walk-release", 2, way_is_known, { unload_first_load_far, read_twice }, NULL, 0 },
	{ "walk-create", 2, large_page_behind, { walk_to_it, load_first }, NULL, 0 },
	{ "steal-unmap", 2, two_pages, { steal_one, unload_first }, NULL, 0 },
	{ "steal-fault", 2, two_pages_run, { steal_one, write_first }, write_is_noted, 0 },
	{ "unlink-link", 2, load_first, { unload_first, load_next }, next_only, 0 },
	{ "reap-alloc", 2, one_cached, { reap, load_next }, NULL, 0 },
	{ 0 },
};
