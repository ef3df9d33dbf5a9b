/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the operations of the HAT cost, in instructions: `costs=1` on the command line; docs/costs.md.
 *
 * Bochs' time-stamp counter counts emulated instructions of one CPU (the row "tsc" shows it), so with one CPU and interrupts off every
 * number is exact. The rows are those of the entry and table layer: leaves without mapping lists (PT_NOCONSIST), and no page is zeroed
 * where the row says so; the full hat_* call stands beside it, with the suffix -hat.
 */
#include <check/check.h>
#include <check/costs.h>
#include <hat/htable_impl.h>
#include <sys/atomic.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/tunable.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define VA   ((uintptr_t)0x40000000)
#define RW   (PROT_READ | PROT_WRITE)
#define LOAD (HAT_LOAD_NOCONSIST)

static uint64_t costs;
TUNABLE_NUMBER(costs, "costs", "1: measure what the HAT's operations cost; 2, 3, ...: one group of rows");

static page_t *page;
static uint64_t began, overhead;
static volatile ulong_t sink;

bool
costs_wanted(void)
{
	return (costs != 0);
}

static void
row(const char *name, uint64_t value, const char *unit)
{
	record("%%cost name=%s value=%llu unit=%s\n", name, (unsigned long long)value, unit);
}

static void
begin(void)
{
	cli();
	began = rdtsc();
}

static uint64_t
end(void)
{
	uint64_t t = rdtsc() - began;

	sti();
	return (t - overhead);
}

static uint64_t
per(uint64_t total, uint64_t n)
{
	return ((uint32_t)(total + n / 2) / (uint32_t)n);
}

static void
destroy(hat_t *hat)
{
	hat_free_start(hat);
	hat_free_end(hat);
}

/** A row that counts known instructions: 1000 turns of a loop of two. */
static void
cost_tsc(void)
{
	uint32_t n = 1000;

	begin();
	overhead = end();
	begin();
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
	row("tsc-2000", end(), "instructions");
}

/* ------------------------------------------------------------------ finding */

static void
find(const char *name, hat_t *hat, uintptr_t start, uintptr_t stride, uint_t ntables, uint_t n)
{
	uint32_t seed = 1;
	uint64_t total = 0;

	for (uint_t i = 0; i < n; i++) {
		uintptr_t va = start + (uintptr_t)((seed >> 8) % ntables) * stride;
		htable_t *ht;
		uint_t entry = 0;

		seed = seed * 1103515245u + 12345u;
		va = va_skip_hole(va);
		begin();
		ht = htable_getpte(hat, va, &entry, NULL, 0);
		htable_release(ht);
		total += end();
		sink = entry;
	}
	row(name, per(total, n), "instructions");
}

static void
make_tables(hat_t *hat, uintptr_t start, uintptr_t stride, uint_t n)
{
	for (uint_t i = 0; i < n; i++)
		hat_devload(hat, start + i * stride, PAGESIZE, page->p_pagenum, RW, LOAD);
}

static void
cost_find(void)
{
	hat_t *hat = hat_alloc(NULL);
	uintptr_t stride = (uintptr_t)1 << (sizeof(stride) < 8 ? 27 : 37); /* 128 GiB, where there is room */
	uint_t many = (uint_t)MIN(10000ul, MIN((userlimit - VA) / LEVEL_SIZE(1), freemem - 1500));

	make_tables(hat, VA, LEVEL_SIZE(1), 4);
	find("find", hat, VA, LEVEL_SIZE(1), 4, 1000);
	find("miss", hat, VA + 100 * LEVEL_SIZE(1), LEVEL_SIZE(1), 4, 1000);
	make_tables(hat, VA, LEVEL_SIZE(1), many);
	find("find-many", hat, VA, LEVEL_SIZE(1), many, 2000);
	row("find-many-tables", many, "tables");
	destroy(hat);
	if (mmu.num_level == MAX_NUM_LEVEL) {
		hat = hat_alloc(NULL);
		make_tables(hat, VA, stride, 512);
		find("find-stride", hat, VA, stride, 512, 2000);
		destroy(hat);
	}
}

/* ------------------------------------------------------------------ one page */

static void
cost_one(void)
{
	hat_t *hat = hat_alloc(NULL);
	uint64_t map = 0, unmap = 0, load = 0, unload = 0;
	htable_t *ht;
	uint_t n = 200, entry;

	make_tables(hat, VA, LEVEL_SIZE(1), 4);
	for (uint_t i = 1; i <= n; i++) {
		uintptr_t va = VA + i * PAGESIZE;
		x86pte_t pte = MAKEPTE(page->p_pagenum, 0) | PT_NOCONSIST;

		begin();
		ht = htable_lookup(hat, va, 0);
		entry = htable_va2entry(va, ht);
		if (!PTE_ISVALID(x86pte_set(ht, entry, pte, NULL))) {
			htable_note(ht, entry);
			atomic_inc_int(&ht->ht_valid_cnt);
			atomic_add_long(&hat->hat_pages_mapped[0], 1);
		}
		htable_release(ht);
		map += end();
		begin();
		ht = htable_getpte(hat, va, &entry, &pte, 0);
		if (PTE_ISVALID(x86pte_inval(ht, entry, pte, NULL))) {
			atomic_dec_int(&ht->ht_valid_cnt);
			atomic_add_long(&hat->hat_pages_mapped[0], -1);
		}
		htable_release(ht);
		unmap += end();
		begin();
		hat_memload(hat, va, page, RW, HAT_LOAD);
		load += end();
		begin();
		hat_unload(hat, va, PAGESIZE, HAT_UNLOAD);
		unload += end();
	}
	destroy(hat);
	row("map", per(map, n), "instructions");
	row("unmap", per(unmap, n), "instructions");
	row("map-hat", per(load, n), "instructions");
	row("unmap-hat", per(unload, n), "instructions");
}

/* ------------------------------------------------------------------ ranges */

static ulong_t
look_at(htable_t *ht, uint_t entry, uint_t n)
{
	char *p = x86pte_access_pagetable(ht, entry);
	ulong_t sum = 0;

	for (uint_t i = 0; i < n; i++)
		sum += (ulong_t)pte_load(p + (i << MMU_PTE_SHIFT));
	x86pte_release_pagetable(ht);
	return (sum);
}

static void
walk(const char *name, hat_t *hat, uintptr_t end_va)
{
	htable_t *ht = NULL;
	uintptr_t va = VA;
	uint_t n = 0, run;
	ulong_t sum = 0;
	x86pte_t pte;

	begin();
	while (va < end_va && (pte = htable_walk(hat, &ht, &va, end_va)) != 0) {
		run = htable_run(ht, va, end_va);
		sum += (ulong_t)pte; /* each leaf is looked at */
		if (run > 1)
			sum += look_at(ht, htable_va2entry(va, ht) + 1, run - 1);
		va += (uintptr_t)run << LEVEL_SHIFT(ht->ht_level);
		n += run;
	}
	htable_release(ht);
	sink = sum;
	row(name, per(end(), n), "instructions");
}

static void
cost_range(void)
{
	hat_t *hat = hat_alloc(NULL);
	size_t size = (size_t)1 << 30;
	uint_t n = (uint_t)(size >> PAGESHIFT);
	ulong_t flushes;

	begin();
	hat_devload(hat, VA, size, 0x80001, RW, LOAD); /* no memory there, and nothing aligned for a large page */
	row("map-range", per(end(), n), "instructions");
	walk("walk-dense", hat, VA + size);
	flushes = hatstat.hs_tlb_invals;
	begin();
	hat_unload(hat, VA, size, HAT_UNLOAD);
	row("unmap-range", per(end(), n), "instructions");
#ifdef DEBUG
	row("unmap-range-flushes", hatstat.hs_tlb_invals - flushes, "flushes");
#else
	(void)flushes;
#endif
	make_tables(hat, VA, LEVEL_SIZE(1), 512);
	walk("walk-per-table", hat, VA + size);
	destroy(hat);
	hat = hat_alloc(NULL);
	if (mmu.num_level == MAX_NUM_LEVEL) {
		make_tables(hat, VA, size, 256);
		walk("walk-per-GiB", hat, VA + 256 * size);
	}
	destroy(hat);
}

/* ------------------------------------------------------------------ tables and spaces */

static void
cost_table(void)
{
	hat_t *hat = hat_alloc(NULL);
	uint64_t total = 0;
	uint_t n = 100;

	make_tables(hat, VA, LEVEL_SIZE(1), 4);
	htable_release(htable_create(hat, VA + 8 * LEVEL_SIZE(1), 0, NULL));
	for (uint_t i = 0; i < n; i++) {
		begin();
		htable_release(htable_create(hat, VA + 8 * LEVEL_SIZE(1), 0, NULL));
		total += end();
	}
	destroy(hat);
	row("create-release", per(total, n), "instructions");
}

static uint64_t
one_space(void)
{
	hat_t *hat;

	begin();
	hat = hat_alloc(NULL);
	hat_devload(hat, VA, PAGESIZE, page->p_pagenum, RW, LOAD);
	destroy(hat);
	return (end());
}

/** What zeroing the tables' frames takes, to be subtracted. */
static uint64_t
zeroing(void)
{
	hat_t *hat = hat_alloc(NULL);
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	uint64_t t;

	begin();
	x86pte_zero(ht, 0, mmu.ptes_per_table);
	t = end();
	htable_release(ht);
	destroy(hat);
	return (t);
}

static void
cost_space(void)
{
	uint64_t total = 0, zero = zeroing();
	hat_t *hat = hat_alloc(NULL);
	uint_t n = 20, tables = 0;

	hat_devload(hat, VA, PAGESIZE, page->p_pagenum, RW, LOAD);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		tables += hat->hat_chains[k].hc_count;
	destroy(hat);
	(void)one_space();
	for (uint_t i = 0; i < n; i++)
		total += one_space();
	row("space", per(total, n) - zero * tables, "instructions");
	row("space-zeroing", zero * tables, "instructions");
	row("table-bytes", sizeof(htable_t), "bytes");
	row("space-bytes", sizeof(hat_t) + tables * sizeof(htable_t), "bytes");
}

/* ------------------------------------------------------------------ running out */

/** Full tables, made the short way: by a lab's own functions half a million loads would take a while. */
static void
fill_tables(hat_t *hat, uint_t n)
{
	for (uint_t t = 0; t < n; t++) {
		htable_t *ht = htable_create(hat, VA + t * LEVEL_SIZE(1), 0, NULL);
		char *p = x86pte_access_pagetable(ht, 0);
		x86pte_t pte = MAKEPTE(page->p_pagenum, 0) | PT_NOCONSIST | PT_REF;

		for (uint_t i = 0; i < mmu.ptes_per_table; i++) {
			pte_store(p + i * mmu.pte_size, pte);
			htable_note(ht, i);
		}
		x86pte_release_pagetable(ht);
		(void)atomic_add_int(&ht->ht_valid_cnt, (int32_t)mmu.ptes_per_table);
		atomic_add_long(&hat->hat_pages_mapped[0], mmu.ptes_per_table);
		htable_release(ht);
	}
}

static void
cost_steal(const char *name, uint_t nhats, uint_t ntables)
{
	static hat_t *hats[100];
	ulong_t flushes;
	htable_t *ht;

	for (uint_t i = 0; i < nhats; i++) {
		hats[i] = hat_alloc(NULL);
		fill_tables(hats[i], ntables);
	}
	flushes = hatstat.hs_tlb_invals;
	begin();
	ht = htable_steal(1);
	row(name, end(), "instructions");
#ifdef DEBUG
	row("steal-flushes", hatstat.hs_tlb_invals - flushes, "flushes");
#else
	(void)flushes;
#endif
	htable_free(ht);
	for (uint_t i = 0; i < nhats; i++)
		destroy(hats[i]);
}

static void
cost_reap(void)
{
	hat_t *hat = hat_alloc(NULL);
	uint32_t tables;
	uint64_t amount = htable_reserve_amount;
	ulong_t frames;

	fill_tables(hat, 20);
	htable_reserve_amount = htable_reserve_cnt + 100; /* no slab comes or goes */
	tables = active_ptables;
	frames = freemem;
	htable_reap(NULL);
	row("reap-percent", (freemem - frames) * 100 / (tables - active_ptables), "percent");
	htable_reserve_amount = amount;
	htable_adjust_reserve();
	destroy(hat);
}

static void
cost_steals(void)
{
	cost_steal("steal-2-hats", 2, 50);
	cost_steal("steal-50-hats", 50, 100);
}

void
costs_main(void)
{
	static void (*const groups[])(void) = { cost_find, cost_one, cost_range, cost_table, cost_space, cost_steals, cost_reap };

	page = page_resv(1, true) ? page_get(PAGE_USER) : NULL;
	if (page == NULL)
		panic("costs: no page");
	cost_tsc();
	for (uint_t i = 0; i < NELEM(groups); i++)
		if (costs == 1 || costs == i + 2)
			groups[i]();
	page_free(page, 1);
	page_unresv(1);
}
