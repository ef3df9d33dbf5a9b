/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The tour: address spaces with one example of everything, shown at checkpoints.
 *
 * The main space has small and large pages, every permission, regions far apart, and pages at its very edges. The second
 * one, on the 64-bit kernel, has the two places that Bochs' `info tab` cannot show: the last page below the hole, which it
 * misprints, and the first page above it, which it leaves out. There a third one, as a 32-bit process has it, runs for a
 * moment while both exist.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <hat/hat_impl.h>
#include <kern/tour.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/peek.h>
#include <vm/as.h>
#include <vm/page.h>

#define RWU      (PROT_READ | PROT_WRITE | PROT_USER)
#define RXU      (PROT_READ | PROT_EXEC | PROT_USER)
#define RU       (PROT_READ | PROT_USER)
#define LARGE_AT 0x10000000ul /* 256 MiB: any flavour's large pages are aligned here */

/** A run of pages, each with a frame of its own. */
struct region {
	uintptr_t rg_va;
	uint_t rg_npages;
	uint_t rg_attr;
};

static const struct region main_space[] = {
	{ 0x00400000, 4, RXU },                                                /* text */
	{ 0x00404000, 2, RU | PROT_EXEC | PROT_WRITE }, { 0x00406000, 3, RU }, /* constants */
	{ 0x00800000, 5, RWU },                                                /* data; the next table */
	{ 0x3ffff000, 2, RWU },                                                /* across a table, and a gigabyte */
};

/* What the flavours have at their edges. A 32-bit space has no hole: its last page ends at kernelbase. */
static const uint64_t main_edges[] = { 0x00007fffffffe000, 0xfffff00000000000 };
static const uint64_t blind_edges[] = { 0x00007ffffffff000, 0xffff800000000000 };

static const uintptr_t narrow_pages[] = { 0x00400000, 0xfffff000 }; /* the last one of 4 GiB */

/** What is mapped where: a thief of page tables may have taken it from the HAT when it is unmapped. */
static struct loaded {
	hat_t *ld_hat;
	uintptr_t ld_va;
	page_t *ld_page; /* NULL: free */
} loaded[48];

static struct loaded *
find_loaded(const hat_t *hat, uintptr_t va)
{
	for (struct loaded *ld = loaded; ld < loaded + NELEM(loaded); ld++)
		if (hat == NULL ? ld->ld_page == NULL : ld->ld_page != NULL && ld->ld_hat == hat && ld->ld_va == va)
			return (ld);
	panic("tour: %s", hat == NULL ? "too many pages" : "this page was never loaded");
}

static page_t *
keep(hat_t *hat, uintptr_t va, page_t *pp)
{
	if (pp == NULL)
		panic("tour: out of memory");
	*find_loaded(NULL, 0) = (struct loaded){ hat, va, pp };
	return (pp);
}

static void
load_page(hat_t *hat, uintptr_t va, uint_t attr)
{
	hat_memload(hat, va, keep(hat, va, page_get(PAGE_USER)), attr, HAT_LOAD);
}

static void
load_edges(hat_t *hat, const uint64_t *va, uint_t n)
{
	for (uint_t i = 0; i < n; i++)
		if (sizeof(uintptr_t) == sizeof(uint64_t))
			load_page(hat, (uintptr_t)va[i], RWU);
	load_page(hat, userlimit - PAGESIZE, RWU);
}

static void
load_large(hat_t *hat)
{
	page_t *pp = keep(hat, LARGE_AT, page_get_large(PAGE_USER, LEVEL_SIZE(1) / PAGESIZE));

	hat_devload(hat, LARGE_AT, LEVEL_SIZE(1), pp->p_pagenum, RWU, HAT_LOAD);
}

static void
load_main(hat_t *hat)
{
	for (uint_t r = 0; r < NELEM(main_space); r++)
		for (uint_t i = 0; i < main_space[r].rg_npages; i++)
			load_page(hat, main_space[r].rg_va + i * PAGESIZE, main_space[r].rg_attr);
	load_large(hat);
	load_edges(hat, main_edges, NELEM(main_edges));
}

/** Unmap a page and give its frame back. */
static void
drop(hat_t *hat, uintptr_t va, size_t size)
{
	struct loaded *ld = find_loaded(hat, va);

	hat_unload(hat, va, size, HAT_UNLOAD);
	for (size_t i = 0; i < size / PAGESIZE; i++)
		page_free(ld->ld_page + i, 0);
	ld->ld_page = NULL;
}

static void
drop_edges(hat_t *hat, const uint64_t *va, uint_t n)
{
	for (uint_t i = 0; i < n; i++)
		if (sizeof(uintptr_t) == sizeof(uint64_t))
			drop(hat, (uintptr_t)va[i], PAGESIZE);
	drop(hat, userlimit - PAGESIZE, PAGESIZE);
}

static void
drop_main(hat_t *hat)
{
	for (uint_t r = 0; r < NELEM(main_space); r++)
		for (uint_t i = 0; i < main_space[r].rg_npages; i++)
			drop(hat, main_space[r].rg_va + i * PAGESIZE, PAGESIZE);
	drop(hat, LARGE_AT, LEVEL_SIZE(1));
	drop_edges(hat, main_edges, NELEM(main_edges));
}

/** Let the MMU leave its marks: accessed on some pages, dirty on others, neither on the rest. */
static void
touch_main(void)
{
	uint32_t word;

	(void)peek((const void *)0x00400000ul, &word, sizeof(word));
	(void)peek((const void *)0x00406000ul, &word, sizeof(word));
	word = 0x68617421;
	(void)poke((void *)0x00800000ul, &word, sizeof(word));
	(void)poke((void *)(LARGE_AT + 0x1000), &word, sizeof(word));
}

static void
look(const char *name)
{
	kmem_reap_settle(); /* where memory is short on purpose, it may be returning tables just now */
	checkpoint(name);
	if (check_invariants() != 0)
		run_done("fail");
}

static void
leave(hat_t *hat)
{
	hat_free_start(hat);
	hat_free_end(hat);
}

/** An address space that ends at 4 GiB, and is not the usual kind; NULL where each one does. */
static hat_t *
narrow_make(void)
{
	static struct as as = { .a_32bit = true };
	hat_t *hat;

	if (mmu.num_level < MAX_NUM_LEVEL)
		return (NULL);
	hat = hat_alloc(&as);
	for (uint_t i = 0; i < NELEM(narrow_pages); i++)
		load_page(hat, narrow_pages[i], RWU);
	hat_setup(hat);
	return (hat);
}

static void
narrow_drop(hat_t *hat)
{
	for (uint_t i = 0; hat != NULL && i < NELEM(narrow_pages); i++)
		drop(hat, narrow_pages[i], PAGESIZE);
	if (hat != NULL)
		leave(hat);
}

void
tour(void)
{
	hat_t *first, *second, *third;

	look("started");
	first = hat_alloc(NULL);
	hat_setup(first);
	load_main(first);
	touch_main();
	look("user-space");

	second = hat_alloc(NULL);
	load_edges(second, blind_edges, NELEM(blind_edges));
	load_page(second, 0x00400000, RWU);
	third = narrow_make();
	look("two-spaces");
	hat_setup(second);
	narrow_drop(third);
	look("switched");

	hat_setup(first);
	drop_main(first);
	look("unmapped");

	hat_setup(NULL);
	drop_edges(second, blind_edges, NELEM(blind_edges));
	drop(second, 0x00400000, PAGESIZE);
	leave(second);
	leave(first);
	kmem_reap_settle();
	checkpoint("gone"); /* kmain() has all judged once more at the end */
}
