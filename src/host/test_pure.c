/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Functions that only compute, at all their edges; and copies through two windows.
 *
 * What is expected is computed here from the hardware's rules alone.
 */
#include <host/compare.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <vm/as.h>
#include <vm/page.h>
#include <memmap.h>

#define USER (PROT_READ | PROT_WRITE | PROT_USER)

/** log2 of what one entry at a level maps. */
static uint_t
shift(level_t level)
{
	return (mmu.num_level == 2 ? 12 + 10 * level : 12 + 9 * level);
}

/** Canonical form: bit 47 copied upward where there are four levels. */
static uint64_t
canonical(uint64_t va)
{
	if (mmu.num_level < 4)
		return (va & UINT32_MAX);
	return (va & 1ull << 47 ? va | 0xffff000000000000ull : va & 0x0000ffffffffffffull);
}

/* ------------------------------------------------------------------ entries and addresses */

static void
one_table(uint64_t base, level_t level)
{
	htable_t ht = { .ht_hat = kas_hat, .ht_vaddr = (uintptr_t)base, .ht_level = level };
	uint_t n = HTABLE_NUM_PTES(&ht);
	uint64_t size = 1ull << shift(level);

	expect(n == (mmu.num_level == 3 && level == 2 ? 4u : mmu.num_level == 2 ? 1024u : 512u), "level %d: %u entries", level, n);
	for (uint_t i = 0; i < n; i++) {
		uintptr_t want = (uintptr_t)canonical(base + i * size), have = htable_e2va(&ht, i);

		expect(have == want, "htable_e2va(level %d, 0x%llx, %u) is 0x%lx instead of 0x%lx", level, (unsigned long long)base,
		    i, have, want);
		expect(htable_va2entry(want, &ht) == i && htable_va2entry(want + (uintptr_t)(size - PAGESIZE), &ht) == i &&
			htable_va2entry(want + (uintptr_t)(size - 1), &ht) == i,
		    "htable_va2entry(0x%lx) at level %d", want, level);
	}
	expect(HTABLE_LAST_PAGE(&ht) == ((uintptr_t)canonical(base + n * size - 1) & PAGEMASK),
	    "last page of 0x%llx, level %d: 0x%lx", (unsigned long long)base, level, HTABLE_LAST_PAGE(&ht));
}

/** The tables at both ends, at the hole, at kernelbase. */
static void
entries_and_addresses(void)
{
	const uint64_t near[] = { 0, 0x40000000, 0x7fffffffffffull, 0xffff800000000000ull, kernelbase, HEAP_BASE, KERNEL_OFFSET,
		UINTPTR_MAX, WINDOW_BASE };

	for (level_t l = 0; l <= mmu.max_level; l++)
		for (uint_t i = 0; i < NELEM(near); i++) {
			uint64_t mask = l == mmu.max_level ? UINT64_MAX : (1ull << shift(l + 1)) - 1;

			if (near[i] == canonical(near[i]))
				one_table(near[i] & ~mask, l);
		}
}

static void
one_next(uintptr_t va, level_t level, uintptr_t want)
{
	uintptr_t have = NEXT_ENTRY_VA(va, level);

	expect(have == want, "NEXT_ENTRY_VA(0x%lx, %d) is 0x%lx instead of 0x%lx", va, level, have, want);
}

/** Every step of a walk lands on a canonical address, and the last one of all on 0 (C-9, C-12). */
static void
next_entries(void)
{
	for (level_t l = 0; l <= mmu.max_level; l++) {
		uintptr_t size = (uintptr_t)1 << shift(l);
		uintptr_t last = (uintptr_t)canonical((1ull << (mmu.num_level == 4 ? 47 : 31)) - 1),
			  above = (uintptr_t)canonical((uint64_t)last + 1);

		one_next(0, l, size);
		one_next(size - 1, l, size);
		one_next(size / 2, l, size);
		one_next(last, l, above);
		one_next(last - size, l, last - size + 1);
		one_next(last - size + 1, l, above);
		one_next(above, l, above + size);
		one_next(UINTPTR_MAX, l, 0);
		one_next(-size, l, 0);
	}
	expect(va_skip_hole((uintptr_t)canonical(0x12345000)) == (uintptr_t)canonical(0x12345000), "va_skip_hole outside the hole");
	if (mmu.num_level == 4) {
		expect(!IN_VA_HOLE(mmu.hole_start - 1) && IN_VA_HOLE(mmu.hole_start) && IN_VA_HOLE(mmu.hole_end) &&
			!IN_VA_HOLE(mmu.hole_end + 1),
		    "the ends of the hole");
		expect(va_skip_hole(mmu.hole_start) == (uintptr_t)canonical(1ull << 47), "va_skip_hole inside the hole");
	}
}

/* ------------------------------------------------------------------ the hash */

/** The longest chain of `n` tables of one level that stand `stride` apart, in 16 buckets. */
static uint_t
longest_chain(hat_t *hat, uint64_t start, uint64_t stride, level_t level, uint_t n)
{
	uint_t count[16] = { 0 }, most = 0;

	for (uint_t i = 0; i < n; i++) {
		uint_t h = htable_hash(hat, htable_base(hat, (uintptr_t)canonical(start + i * stride), level), level);

		expect(h == htable_hash(hat, htable_base(hat, (uintptr_t)canonical(start + i * stride), level), level),
		    "the hash is not constant");
		count[h & 15]++; /* not inside MAX(), which would count twice */
		most = MAX(most, count[h & 15]);
	}
	return (most);
}

static void
hash(void)
{
	static const uint64_t strides[] = { 0x200000, 0x400000, 0x40000000, 0x80000000, 0x8000000000ull, 0x2000000000ull };

	for (uint_t i = 0; i < NELEM(strides); i++)
		for (level_t l = 0; l < mmu.max_level; l++) {
			uint64_t space = mmu.num_level == 4 ? 1ull << 47 : kernelbase;
			uint64_t stride = MAX(strides[i], 1ull << shift(l + 1));
			uint_t n = (uint_t)MIN(space / stride, (uint64_t)64),
			       most = n == 0 ? 0 : longest_chain(kas_hat, 0, stride, l, n);

			expect(most <= 4 + n / 4, "%u of %u tables of level %d, 0x%llx apart, are on one chain", most, n, l,
			    (unsigned long long)stride);
		}
}

/* ------------------------------------------------------------------ two windows */

/** Copies from two tables in turn: the source's window must follow. */
static void
copies(page_t *pp)
{
	hat_t *hat = hat_alloc(&wide);
	htable_t *t[2], *to;

	for (uint_t i = 0; i < 2; i++) {
		uintptr_t va = 0x40000000 + i * LEVEL_SIZE(1);

		hat_memload(hat, va + (5 + i) * PAGESIZE, pp, USER, HAT_LOAD);
		t[i] = htable_lookup(hat, va, 0);
	}
	to = htable_alloc(hat, 0x50000000, 0, NULL);
	for (uint_t i = 0; i < 4; i++) {
		x86pte_copy(t[i % 2], to, 0, mmu.ptes_per_table);
		for (uint_t k = 0; k < mmu.ptes_per_table; k++)
			expect((x86pte_get(to, k) != 0) == (k == 5 + i % 2), "copy %u: entry %u is 0x%llx", i, k,
			    (unsigned long long)x86pte_get(to, k));
	}
	x86pte_zero(to, 0, mmu.ptes_per_table);
	htable_free(to);
	htable_release(t[0]);
	htable_release(t[1]);
	host_free_space(hat);
}

void
test_pure(void)
{
	page_t *pp;

	host_boot();
	entries_and_addresses();
	next_entries();
	hash();
	pp = page_get(PAGE_USER);
	walk_run(pp);
	copies(pp);
	host_sound("at the end");
	printf("pure: entries, addresses, hash, walk, copies\n");
}
