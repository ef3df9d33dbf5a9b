/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 6. Reference code: a student's copy is only what they act on.
 *
 * Boot happens once, so a check makes boot tables of its own: frames that look as if boot had taken them, entered by
 * hand, in one path from the top to a table of small pages. A bare address space adopts them.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/string.h>
#include <vm/page.h>

#define LEAVES 3u /* in the lowest table, every other entry */

/** The hand-made tables: one a level, over an address that depends on the seed. */
static struct {
	uintptr_t va;
	pfn_t pfn[MAX_NUM_LEVEL];
	level_t top;
	uint_t last; /**< entry of the last leaf */
} made;

/* A frame in the state in which boot leaves its own: nobody's lock, not free, not accounted for. */
static pfn_t
boot_frame(void)
{
	static const uint64_t zero[64];
	page_t *pp = page_get(PAGE_BOOT);

	check_true(pp != NULL, "no page left");
	page_unlock(pp);
	for (uint_t i = 0; i < PAGESIZE; i += sizeof(zero))
		check_true(poke_phys(pfn_to_pa(pp->p_pagenum) + i, zero, sizeof(zero)), "frame 0x%lx", pp->p_pagenum);
	return (pp->p_pagenum);
}

static void
enter(level_t level, uint_t entry, x86pte_t e)
{
	check_true(poke_phys(pfn_to_pa(made.pfn[level]) + entry * mmu.pte_size, &e, mmu.pte_size), "frame 0x%lx", made.pfn[level]);
}

static uint_t
slot(level_t level)
{
	uint_t n = level == mmu.max_level ? mmu.top_level_count : mmu.ptes_per_table;

	return ((made.va >> LEVEL_SHIFT(level)) & (n - 1));
}

/*
 * Top table -> ... -> lowest table with LEAVES leaves; and a large leaf beside the lowest table, where there are such. The link is in
 * the lower half of its table, the leaves at the end of theirs: whoever goes on in the wrong table finds them.
 */
static void
make_tables(uintptr_t va)
{
	made.va = va & ~((uintptr_t)(mmu.ptes_per_table / 2 + 2) << LEVEL_SHIFT(1));
	made.last = mmu.ptes_per_table - 1 - (uint_t)check_random(8);
	made.top = mmu.max_level;
	for (level_t l = made.top; l >= 0; l--)
		made.pfn[l] = boot_frame();
	for (level_t l = made.top; l > 0; l--)
		enter(l, slot(l), MAKEPTP(made.pfn[l - 1], l - 1));
	for (uint_t i = 0; i < LEAVES; i++)
		enter(0, made.last - 2 * i, MAKEPTE(16 + i, 0) | PT_NOCONSIST);
	if (mmu.max_page_level > 0)
		enter(1, slot(1) + 2, MAKEPTE(0, 1) | PT_NOCONSIST);
}

static uint_t
large_leaves(void)
{
	return (mmu.max_page_level > 0);
}

/* Frames that nobody has adopted. */
static void
free_unclaimed(level_t from)
{
	for (level_t l = from; l >= 0; l--) {
		page_t *pp = page_numtopp_nolock(made.pfn[l]);

		if (page_trylock(pp, true))
			page_free(pp, 0);
	}
}

/* Without htable_lookup(), which is for address spaces that are alive. */
static htable_t *
find(hat_t *hat, level_t level)
{
	uintptr_t base = level == mmu.max_level ? 0 : made.va & LEVEL_MASK(level + 1);

	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			if (ht->ht_level == level && ht->ht_vaddr == base)
				return (ht);
	check_true(false, "no table of level %d over 0x%lx", level, (ulong_t)base);
	return (NULL);
}

/* Below the hole, where there is one. */
static uintptr_t
low_va(void)
{
	uintptr_t va;

	do
		va = check_va(0);
	while (va >= mmu.hole_start);
	return (va);
}

/* A table for each of those made by hand, at its place. */
static void
look_at_tree(hat_t *hat)
{
	check_eq((uintptr_t)hat->hat_htable, (uintptr_t)find(hat, made.top), "hat_htable");
	for (level_t l = made.top; l >= 0; l--) {
		htable_t *ht = find(hat, l);

		check_true(ht->ht_pfn == made.pfn[l], "the table of level %d over 0x%lx has frame 0x%lx, want 0x%lx", l,
		    (ulong_t)ht->ht_vaddr, ht->ht_pfn, made.pfn[l]);
		check_eq((uintptr_t)ht->ht_hat, (uintptr_t)hat, "owner of a table");
		check_eq(ht->ht_flags, 0, "ht_flags");
		check_eq((uintptr_t)ht->ht_parent, l == made.top ? 0 : (uintptr_t)find(hat, l + 1), "parent");
		check_eq((uintptr_t)ht->ht_shares, 0, "ht_shares");
		check_eq(ht->ht_lock_cnt, 0, "ht_lock_cnt");
	}
}

CHECK(attach_tree, "attach-tree", "htable_attach", 6, 4, NULL, CK_BARE)
{
	make_tables(low_va());
	copy_on(hat);
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
	copy_off();
	look_at_tree(hat);
}

/* Above the hole, where there is one. */
CHECK(attach_upper, "attach-upper", "htable_attach", 6, 2, "attach-tree", CK_BARE)
{
	uintptr_t va = check_va(0);

	while (mmu.hole_end != 0 && va < mmu.hole_end)
		va = check_va(0);
	make_tables(va);
	copy_on(hat);
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
	copy_off();
	look_at_tree(hat);
}

CHECK(attach_counts, "attach-counts", "htable_attach", 6, 4, "attach-tree", CK_BARE)
{
	uint32_t tables = active_ptables;

	make_tables(low_va());
	copy_on(hat);
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
	copy_off();
	check_eq(find(hat, 0)->ht_valid_cnt, LEAVES, "ht_valid_cnt of the lowest table");
	check_eq(find(hat, 1)->ht_valid_cnt, 1 + large_leaves(), "ht_valid_cnt of the table above it");
	check_eq(hat->hat_pages_mapped[0], LEAVES, "hat_pages_mapped[0]");
	check_eq(hat->hat_pages_mapped[1], large_leaves(), "hat_pages_mapped[1]");
	check_eq(active_ptables, tables + made.top + 1, "active_ptables");
}

/* Only what reaches the kernel is held for ever: here that is the top table alone. */
CHECK(attach_holds, "attach-holds", "htable_attach", 6, 3, "attach-tree", CK_BARE)
{
	make_tables(low_va());
	copy_on(hat);
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
	copy_off();
	for (level_t l = made.top; l >= 0; l--) {
		htable_t *ht = find(hat, l);
		bool kept = HTABLE_LAST_PAGE(ht) >= kernelbase;

		check_true(
		    ht->ht_busy == (l > 0) + kept, "ht_busy of level %d is %d: %d child, %d for ever", l, ht->ht_busy, l > 0, kept);
	}
}

CHECK(attach_frames, "attach-frames", "htable_attach", 6, 2, "attach-tree", CK_BARE)
{
	ulong_t before;

	make_tables(low_va());
	before = availrmem;
	copy_on(hat);
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
	copy_off();
	for (level_t l = made.top; l >= 0; l--) {
		page_t *pp = page_numtopp_nolock(made.pfn[l]);

		check_true(PAGE_SHARED(pp), "frame 0x%lx is not locked shared: p_selock %d", made.pfn[l], (int)pp->p_selock);
	}
	check_eq(availrmem, before - (made.top + 1), "availrmem: one page reserved for each table");
}

static void
attach_made(void *hat)
{
	htable_attach(hat, 0, made.top, NULL, made.pfn[made.top]);
}

/* A link that allows less would be found out by unlink_ptp() much later, and nobody would know why. */
CHECK(attach_bad_link, "attach-bad-link", "htable_attach", 6, 3, "attach-tree", CK_BARE)
{
	char text[160] = "";
	bool stopped;

	make_tables(low_va());
	enter(1, slot(1), MAKEPTP(made.pfn[0], 0) & ~PT_USER);
	copy_on(hat);
	stopped = check_panics(attach_made, hat, text, sizeof(text));
	copy_off();
	check_true(stopped, "a link without PT_USER was adopted");
	check_note("the panic: %s", text);
	free_unclaimed(made.top);
}

/* The kernel's own address space, which the copy has adopted at power-on. */
CHECK(attach_boot, "attach-boot", "htable_attach", 6, 4, NULL, CK_BOOT)
{
	uint_t n = check_invariants();

	(void)hat;
	check_true(n == 0, "after the kernel has adopted its own boot tables: %u broken invariants, see above", n);
}
