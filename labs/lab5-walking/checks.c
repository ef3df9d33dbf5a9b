/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 5: along one table, across the tree. Reference code: a student's copy is only what they act on.
 *
 * Those of hat_dump() stand in checks_dump.c.
 */
#include <labs/lab5-walking/checks.h>
#include <sys/printf.h>

/* ------------------------------------------------------------------ htable_scan */

/* One call: the result and where it has got to. */
static struct {
	htable_t *ht;
	x86pte_t e;
	uintptr_t va;
} scan;

static void
scan_one(hat_t *hat, htable_t *ht, uintptr_t va, uintptr_t eaddr)
{
	scan.ht = ht;
	scan.va = va;
	copy_on(hat);
	scan.e = htable_scan(ht, &scan.va, eaddr);
	copy_off();
}

static void
want_scan(x86pte_t e, uintptr_t va, const char *what)
{
	check_true(scan.e == e, "%s: the result is 0x%llx, want 0x%llx (table of level %d at 0x%lx; *vap is 0x%lx)", what,
	    (unsigned long long)scan.e, (unsigned long long)e, scan.ht->ht_level, (ulong_t)scan.ht->ht_vaddr, (ulong_t)scan.va);
	check_true(scan.va == va, "%s: *vap is 0x%lx, want 0x%lx (table of level %d at 0x%lx)", what, (ulong_t)scan.va, (ulong_t)va,
	    scan.ht->ht_level, (ulong_t)scan.ht->ht_vaddr);
}

/* A table of level 0 somewhere, held. */
static htable_t *
scan_table(hat_t *hat)
{
	return (htable_create(hat, check_va(1), 0, NULL));
}

static uintptr_t
at(const htable_t *ht, uint_t entry)
{
	return (ht->ht_vaddr + (uintptr_t)entry * LEVEL_SIZE(ht->ht_level));
}

static void
scan_finish(htable_t *ht, page_t *pp)
{
	for (uint_t i = 0; i < HTABLE_NUM_PTES(ht); i++)
		put_raw(ht, i, 0);
	htable_release(ht);
	if (pp != NULL)
		page_free(pp, 0);
}

CHECK(scan_here, "scan-here", "htable_scan", 5, 2, NULL, 0)
{
	htable_t *ht = scan_table(hat);
	page_t *pp = check_page();
	uint_t i = (uint_t)check_random(MMU_PTES);
	x86pte_t e = leaf_bits(pp, 0);

	entry_put(ht, i, e);
	scan_one(hat, ht, at(ht, i), at(ht, i) + PAGESIZE);
	want_scan(e, at(ht, i), "the entry at *vap itself is valid");
	scan_one(hat, ht, at(ht, i) + PAGESIZE / 2, at(ht, i) + PAGESIZE);
	want_scan(e, at(ht, i), "from the middle of a page");
	scan_finish(ht, pp);
}

/* Over whatever lies between, and not what lies before. */
CHECK(scan_next, "scan-next", "htable_scan", 5, 3, "scan-here", 0)
{
	htable_t *ht = scan_table(hat);
	page_t *pp = check_page();
	x86pte_t e = leaf_bits(pp, 0);
	uint_t i = 1 + (uint_t)check_random(100), j = i + 2 + (uint_t)check_random(300);

	entry_put(ht, i - 1, e);
	entry_put(ht, j, e);
	entry_put(ht, j + 1, e | PT_WRITETHRU);
	for (uint_t from = i; from <= j; from += 1 + (uint_t)check_random(40)) {
		scan_one(hat, ht, at(ht, from), HTABLE_WALK_TO_END);
		want_scan(e, at(ht, j), "the next valid entry");
	}
	scan_finish(ht, pp);
}

CHECK(scan_end, "scan-end", "htable_scan", 5, 3, "scan-next", 0)
{
	htable_t *ht = scan_table(hat);
	page_t *pp = check_page();
	x86pte_t e = leaf_bits(pp, 0);
	uint_t i = (uint_t)check_random(100), j = i + 5 + (uint_t)check_random(300);

	entry_put(ht, j, e);
	scan_one(hat, ht, at(ht, i), at(ht, j));
	want_scan(0, at(ht, j), "the next valid entry lies right at eaddr");
	scan_one(hat, ht, at(ht, i), at(ht, j - 2));
	want_scan(0, at(ht, j - 2), "the next valid entry lies behind eaddr");
	scan_one(hat, ht, at(ht, i), at(ht, j) + PAGESIZE);
	want_scan(e, at(ht, j), "the last entry before eaddr is valid");
	scan_finish(ht, pp);
}

CHECK(scan_none, "scan-none", "htable_scan", 5, 2, "scan-here", 0)
{
	htable_t *ht = scan_table(hat);

	scan_one(hat, ht, at(ht, (uint_t)check_random(MMU_PTES)), HTABLE_WALK_TO_END);
	want_scan(0, at(ht, MMU_PTES), "nothing is valid up to the end of the table");
	scan_one(hat, ht, at(ht, MMU_PTES - 1), HTABLE_WALK_TO_END);
	want_scan(0, at(ht, MMU_PTES), "the last entry is not valid");
	scan_finish(ht, NULL);
}

CHECK(scan_last, "scan-last", "htable_scan", 5, 3, "scan-next", 0)
{
	htable_t *ht = scan_table(hat);
	page_t *pp = check_page();
	x86pte_t e = leaf_bits(pp, 0);

	entry_put(ht, MMU_PTES - 1, e);
	scan_one(hat, ht, at(ht, (uint_t)check_random(MMU_PTES - 1)), HTABLE_WALK_TO_END);
	want_scan(e, at(ht, MMU_PTES - 1), "only the last entry is valid");
	scan_finish(ht, pp);
}

/* A table with a link and a large page: both are valid entries, and *vap moves by what an entry of this level maps. */
CHECK(scan_level, "scan-level", "htable_scan", 5, 3, "scan-next", 0)
{
	htable_t *low = htable_create(hat, check_va(TOP_LEVEL(hat)) + 4 * LEVEL_SIZE(1), 0, NULL), *ht = low->ht_parent;
	uint_t link = htable_va2entry(low->ht_vaddr, ht), large = link + 3;
	x86pte_t e = leaf_bits(NULL, 1);

	entry_put(ht, large, e);
	scan_one(hat, ht, low->ht_vaddr - 2 * LEVEL_SIZE(1) + PAGESIZE, HTABLE_WALK_TO_END);
	want_scan(MAKEPTP(low->ht_pfn, 0), low->ht_vaddr, "a link is a valid entry");
	scan_one(hat, ht, low->ht_vaddr + LEVEL_SIZE(1), HTABLE_WALK_TO_END);
	want_scan(e, low->ht_vaddr + 3 * LEVEL_SIZE(1), "a large page");
	scan_one(hat, ht, low->ht_vaddr + 3 * LEVEL_SIZE(1) + 5 * PAGESIZE, low->ht_vaddr + 4 * LEVEL_SIZE(1));
	want_scan(e, low->ht_vaddr + 3 * LEVEL_SIZE(1), "from inside a large page");
	put_raw(ht, large, 0);
	htable_release(low);
}

/* The top table: on i386 inside the hat, on amd64 with the hole in its middle. */
CHECK(scan_top, "scan-top", "htable_scan", 5, 3, "scan-next", 0)
{
	level_t top = TOP_LEVEL(hat);
	uintptr_t va = mmu.hole_end != 0 ? mmu.hole_end + 1 : 0;
	htable_t *ht;
	x86pte_t link;

	if (va == 0)
		va = check_va(top);
	va += mmu.hole_end != 0 ? check_random(32) * LEVEL_SIZE(top) : 0;
	ht = htable_create(hat, va, top - 1, NULL);
	link = MAKEPTP(ht->ht_pfn, top - 1);
	scan_one(hat, hat->hat_htable, 5 * PAGESIZE, userlimit);
	want_scan(link, va, mmu.hole_end != 0 ? "the next valid entry lies above the hole" : "a link in the top table");
	htable_release(ht);
}

/* Nothing up to the very end of the address space: what comes after it is 0. */
CHECK(scan_wrap, "scan-wrap", "htable_scan", 5, 1, "scan-none", CK_BARE)
{
	htable_t *top;

	top = hat->hat_htable = htable_create(hat, 0, TOP_LEVEL(hat), NULL);
	scan_one(hat, top, check_random(1000) * LEVEL_SIZE(1), HTABLE_WALK_TO_END); /* below the hole */
	want_scan(0, 0, "nothing is valid up to the end of memory");
}

/* A slot whose table is cut off is not valid, but who passed it over would miss what is there again in a moment. */
CHECK(scan_cut, "scan-cut", "htable_scan", 5, 2, "scan-next", 0)
{
	htable_t *ht = htable_create(hat, check_va(TOP_LEVEL(hat)), 1, NULL);
	uint_t i = 1 + (uint_t)check_random(MMU_PTES - 1);

	entry_put(ht, i, PTE_CUT);
	scan_one(hat, ht, at(ht, 0), HTABLE_WALK_TO_END);
	want_scan(PTE_CUT, at(ht, i), "a slot with PTE_CUT");
	put_raw(ht, i, 0);
	htable_release(ht);
}

/* ------------------------------------------------------------------ htable_walk */

#define NLEAVES 12

/* What is mapped, ascending. */
static struct {
	uint_t n;
	page_t *pp;
	uintptr_t va[NLEAVES];
	level_t level[NLEAVES];
	x86pte_t e[NLEAVES];
} made;

/* Where a walk is. */
static struct {
	htable_t *ht;
	uintptr_t va;
	x86pte_t e;
} walk;

static void
made_start(void)
{
	made.n = 0;
	made.pp = check_page();
}

/* One more, at its place in the order. A second one at the same place is not made. */
static void
make(hat_t *hat, uintptr_t va, level_t level)
{
	uint_t i = made.n;

	for (uint_t k = 0; k < made.n; k++)
		if (made.va[k] == va)
			return;
	for (; i > 0 && made.va[i - 1] > va; i--) {
		made.va[i] = made.va[i - 1];
		made.level[i] = made.level[i - 1];
		made.e[i] = made.e[i - 1];
	}
	made.va[i] = va;
	made.level[i] = level;
	made.e[i] = leaf_put(hat, va, level, made.pp);
	made.n++;
}

static void
unmake(hat_t *hat)
{
	for (uint_t i = 0; i < made.n; i++)
		leaf_take(hat, made.va[i], made.level[i]);
	page_free(made.pp, 0);
}

/* Holds that nobody can account for, in all linked tables of the hat: a child is one, an owner is one. */
static int32_t
holds(hat_t *hat)
{
	int32_t n = 0;

	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			n += ht->ht_busy - ht->ht_permanent - (ht->ht_parent != NULL);
	return (n);
}

static void
walk_start(uintptr_t va)
{
	walk.ht = NULL;
	walk.va = va;
}

static void
walk_on(hat_t *hat, uintptr_t eaddr)
{
	walk.e = htable_walk(hat, &walk.ht, &walk.va, eaddr);
}

/* The walk must have come to this leaf, hold its table, and no other. */
static void
want_leaf(hat_t *hat, uint_t i, int32_t held)
{
	check_true(walk.e != 0, "the walk ended before the leaf of level %d at 0x%lx", made.level[i], (ulong_t)made.va[i]);
	check_true(walk.ht != NULL && walk.ht->ht_level == made.level[i] && walk.va == made.va[i],
	    "the walk came to 0x%lx at level %d, want 0x%lx at level %d", (ulong_t)walk.va,
	    walk.ht != NULL ? walk.ht->ht_level : -1, (ulong_t)made.va[i], made.level[i]);
	check_true(walk.e == made.e[i], "the entry at 0x%lx is 0x%llx, want 0x%llx", (ulong_t)walk.va, (unsigned long long)walk.e,
	    (unsigned long long)made.e[i]);
	check_true(holds(hat) == held + 1, "at 0x%lx the walk holds %d tables, want 1: the one that it hands out", (ulong_t)walk.va,
	    holds(hat) - held);
}

static void
want_end(hat_t *hat, int32_t held)
{
	check_true(walk.e == 0, "the walk came to 0x%lx (entry 0x%llx) where it should have ended", (ulong_t)walk.va,
	    (unsigned long long)walk.e);
	check_true(walk.ht == NULL, "the walk has ended and *htp is not NULL");
	check_true(walk.va == 0, "the walk has ended and *vap is 0x%lx, want 0", (ulong_t)walk.va);
	check_true(holds(hat) == held, "the walk has ended and %d tables are still held", holds(hat) - held);
}

/* From va to eaddr: these leaves and no others. */
static void
want_walk(hat_t *hat, uintptr_t va, uintptr_t eaddr, uint_t first, uint_t n)
{
	int32_t held = holds(hat);

	walk_start(va);
	copy_on(hat);
	for (uint_t i = first; i < first + n; i++) {
		walk_on(hat, eaddr);
		want_leaf(hat, i, held);
		walk.va += LEVEL_SIZE(walk.ht->ht_level);
	}
	if (walk.ht == NULL || walk.va < eaddr)
		walk_on(hat, eaddr);
	else {
		htable_release(walk.ht); /* nothing is left to ask for */
		walk = (typeof(walk)){ .e = 0 };
	}
	copy_off();
	want_end(hat, held);
}

CHECK(walk_empty, "walk-empty", "htable_walk", 5, 2, NULL, 0)
{
	uintptr_t va = check_va(0);

	made_start();
	want_walk(hat, va, va + PAGESIZE, 0, 0);
	want_walk(hat, 0, userlimit, 0, 0);
	make(hat, va, 0);
	want_walk(hat, va + PAGESIZE, va + 3 * PAGESIZE, 0, 0);
	want_walk(hat, va - 3 * PAGESIZE, va, 0, 0);
	unmake(hat);
}

CHECK(walk_one, "walk-one", "htable_walk", 5, 3, "walk-empty", 0)
{
	uintptr_t va = check_va(0);

	made_start();
	make(hat, va, 0);
	want_walk(hat, va, va + PAGESIZE, 0, 1);
	want_walk(hat, va - 2 * PAGESIZE, va + 2 * PAGESIZE, 0, 1);
	want_walk(hat, 0, userlimit, 0, 1);
	unmake(hat);
}

/* All over the address space, side by side, at the edges of tables and of the hole. */
CHECK(walk_order, "walk-order", "htable_walk", 5, 6, "walk-one", 0)
{
	uintptr_t va = check_va(1);

	made_start();
	make(hat, va, 0);
	make(hat, va + PAGESIZE, 0);
	make(hat, va + LEVEL_SIZE(1) - PAGESIZE, 0);
	make(hat, check_va(TOP_LEVEL(hat)), 0);
	if (mmu.hole_end != 0) {
		make(hat, mmu.hole_start - PAGESIZE, 0);
		make(hat, mmu.hole_end + 1, 0);
	}
	while (made.n < NLEAVES - 2)
		make(hat, check_va(0), 0);
	want_walk(hat, 0, userlimit, 0, made.n);
	if (mmu.hole_end != 0) /* asked for from inside the hole */
		for (uint_t i = 0; i < made.n; i++)
			if (made.va[i] == mmu.hole_end + 1)
				want_walk(hat, mmu.hole_start + check_random(1u << 20) * PAGESIZE, userlimit, i, made.n - i);
	unmake(hat);
}

/* Whoever stops early has a hold to give back; whoever goes on far away gets rid of it by the walk itself. */
CHECK(walk_holds, "walk-holds", "htable_walk", 5, 3, "walk-one", 0)
{
	uintptr_t va = check_va(1);
	int32_t held;

	made_start();
	make(hat, va, 0);
	make(hat, va + LEVEL_SIZE(1), 0);
	make(hat, va + LEVEL_SIZE(1) + 5 * PAGESIZE, 0);
	held = holds(hat);
	walk_start(0);
	copy_on(hat);
	walk_on(hat, userlimit);
	want_leaf(hat, 0, held);
	walk.va += LEVEL_SIZE(1); /* below another table */
	walk_on(hat, userlimit);
	want_leaf(hat, 1, held);
	walk.va += PAGESIZE;
	walk_on(hat, userlimit);
	want_leaf(hat, 2, held);
	htable_release(walk.ht);
	copy_off();
	check_true(holds(hat) == held, "the walk was left early, its table given back, and %d holds are left", holds(hat) - held);
	unmake(hat);
}

/* What begins at eaddr is not in the range, what begins right before it is. */
CHECK(walk_range, "walk-range", "htable_walk", 5, 3, "walk-one", 0)
{
	uintptr_t va = check_va(1) + (10 + check_random(200)) * PAGESIZE;

	made_start();
	for (uint_t i = 0; i < 5; i++)
		make(hat, va + i * PAGESIZE, 0);
	want_walk(hat, va + PAGESIZE, va + 4 * PAGESIZE, 1, 3);
	want_walk(hat, va - 5 * PAGESIZE, va + PAGESIZE, 0, 1);
	want_walk(hat, va + 4 * PAGESIZE, va + 9 * PAGESIZE, 4, 1);
	unmake(hat);
}

/* Large pages among small ones; a walk that begins inside one finds its start. */
CHECK(walk_large, "walk-large", "htable_walk", 5, 4, "walk-order", 0)
{
	level_t most = MIN(mmu.umax_page_level, TOP_LEVEL(hat) - 1);
	uintptr_t va = check_va(TOP_LEVEL(hat));

	made_start();
	make(hat, va + LEVEL_SIZE(1) - PAGESIZE, 0);
	make(hat, va + LEVEL_SIZE(1), MIN(1, mmu.umax_page_level));
	make(hat, va + 2 * LEVEL_SIZE(1), 0);
	make(hat, va + 5 * LEVEL_SIZE(1), MIN(1, mmu.umax_page_level));
	for (level_t l = 2; l <= most; l++) {
		make(hat, va + 2 * LEVEL_SIZE(l), l);
		make(hat, va + 3 * LEVEL_SIZE(l) + 7 * PAGESIZE, 0);
	}
	want_walk(hat, 0, userlimit, 0, made.n);
	for (uint_t i = 0; i < made.n; i++)
		if (made.level[i] > 0)
			want_walk(
			    hat, made.va[i] + (1 + check_random(300)) * PAGESIZE, made.va[i] + LEVEL_SIZE(made.level[i]), i, 1);
	unmake(hat);
}

/* To the end: of what users may have. What a user table shows of the kernel is not this hat's. */
CHECK(walk_to_end, "walk-to-end", "htable_walk", 5, 2, "walk-order", 0)
{
	made_start();
	make(hat, check_va(0), 0);
	make(hat, userlimit - PAGESIZE, 0);
	want_walk(hat, 0, HTABLE_WALK_TO_END, 0, made.n);
	unmake(hat);
}

/* A 32-bit process: four gigabytes, whichever kernel. */
CHECK(walk_narrow, "walk-narrow", "htable_walk", 5, 2, "walk-order", CK_BARE)
{
	uintptr_t end;

	make_narrow(hat);
	end = hat_user_end(hat);
	made_start();
	make(hat, (1 + check_random(1000)) * LEVEL_SIZE(1), 0);
	make(hat, end - PAGESIZE, 0);
	want_walk(hat, 0, HTABLE_WALK_TO_END, 0, made.n);
	unmake(hat);
}

/* Leaves of the kernel, by level, as one walk finds them. The kernel's windows may change meanwhile: those are left out. */
static void
walk_kernel(ulong_t *count, uint_t most)
{
	htable_t *ht = NULL;
	uintptr_t va = kernelbase;
	uint_t n = 0;

	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		count[l] = 0;
	while (htable_walk(kas_hat, &ht, &va, HTABLE_WALK_TO_END) != 0) {
		check_true(n++ < most, "the walk of the kernel came to %u leaves, and on: there are %u", n, most);
		if (!hat_is_private_slot(ht, htable_va2entry(va, ht)))
			count[ht->ht_level]++;
		va += LEVEL_SIZE(ht->ht_level);
		if (va == 0)
			break;
	}
	htable_release(ht);
}

/*
 * The kernel's own address space, up to the end of memory, where addresses wrap. Walking changes nothing, so for once a copy
 * works on it: last of all, after all others have passed.
 */
CHECK(walk_wraps, "walk-kernel", "htable_walk", 5, 3, "walk-order walk-holds walk-range walk-large", 0)
{
	ulong_t want[MAX_PAGE_LEVEL + 1], have[MAX_PAGE_LEVEL + 1], all = 0;
	int32_t held = holds(kas_hat);

	(void)hat;
	walk_kernel(want, 1u << 20);
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		all += want[l];
	copy_on(kas_hat);
	walk_kernel(have, (uint_t)all + 100);
	copy_off();
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		check_true(
		    have[l] == want[l], "the walk of the kernel came to %lu leaves of level %d, want %lu", have[l], l, want[l]);
	check_true(holds(kas_hat) == held, "after a walk of the kernel %d of its tables are still held", holds(kas_hat) - held);
}
