/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 3. Reference code: a student's copy is only what they act on.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/peek.h>

#define VA	((uintptr_t)0x40000000)

/* One raw entry of a table, wherever its entries are. */
static x86pte_t
raw(htable_t *ht, uint_t entry)
{
	x86pte_t e = 0;

	if (ht->ht_flags & HTABLE_VLP)
		return (ht->ht_hat->hat_vlp_ptes[entry]);
	check_true(peek_phys(pfn_to_pa(ht->ht_pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "table frame 0x%lx", ht->ht_pfn);
	return (e);
}

/* Holds of the top table before anything is created: its owner's, and one a child that the kernel's part may need. */
static int32_t top_holds;

static void
start(const hat_t *hat)
{
	top_holds = hat->hat_htable->ht_busy;
}

static int32_t
want_busy(const hat_t *hat, const htable_t *ht, int32_t children)
{
	return (children + (ht == hat->hat_htable ? top_holds : 0));
}

/* One table of a path, and the link to it. `holds` are those that the check itself owns. */
static void
look_at(hat_t *hat, htable_t *ht, uintptr_t va, level_t level, int32_t children, int32_t holds)
{
	htable_t *up = ht->ht_parent;

	check_eq(ht->ht_level, level, "level of a table");
	check_eq(ht->ht_hat == hat, true, "a table's owner is the address space");
	check_eq(ht->ht_vaddr, htable_base(hat, va, level), "base of a table");
	check_eq(ht->ht_busy, want_busy(hat, ht, children) + holds, "ht_busy");
	check_eq(ht->ht_lock_cnt, 0, "ht_lock_cnt");
	if (level == TOP_LEVEL(hat)) {
		check_eq((uintptr_t)up, 0, "parent of the top table");
		return;
	}
	check_true(up != NULL, "the table of level %d has no parent", level);
	check_eq(raw(up, htable_va2entry(va, up)), MAKEPTP(ht->ht_pfn, level), "the parent's slot");
}

/* Every table from level up, found by walking the parents and by the hash. */
static void
look_at_path(hat_t *hat, htable_t *ht, uintptr_t va, int32_t holds)
{
	int32_t children = 0;

	for (level_t l = ht->ht_level; ht != NULL; l++, ht = ht->ht_parent) {
		htable_t *found = htable_lookup(hat, va, l);

		check_eq((uintptr_t)found, (uintptr_t)ht, "the table that htable_lookup() finds");
		htable_release(found);
		look_at(hat, ht, va, l, children, holds);
		if (children > 0 && l < TOP_LEVEL(hat))
			check_eq(ht->ht_valid_cnt, children, "ht_valid_cnt");
		children = 1;
		holds = 0;
	}
}

CHECK(create_path, "create-path", "htable_create", 3, 4, NULL, 0)
{
	htable_t *ht;

	start(hat);
	copy_on(hat);
	ht = htable_create(hat, VA + 5 * PAGESIZE, 0, NULL);
	copy_off();
	check_true(ht != NULL, "no table");
	look_at_path(hat, ht, VA, 1);
	htable_release(ht);
}

CHECK(create_again, "create-again", "htable_create", 3, 3, "create-path", 0)
{
	htable_t *first, *second;

	start(hat);
	first = htable_create(hat, VA, 0, NULL);
	copy_on(hat);
	second = htable_create(hat, VA + PAGESIZE, 0, NULL);
	copy_off();
	check_eq((uintptr_t)second, (uintptr_t)first, "the table that exists already");
	look_at_path(hat, first, VA, 2);
	htable_release(second);
	htable_release(first);
}

CHECK(create_sibling, "create-sibling", "htable_create", 3, 3, "create-path", 0)
{
	htable_t *first, *second;

	start(hat);
	first = htable_create(hat, VA, 0, NULL);
	copy_on(hat);
	second = htable_create(hat, VA + LEVEL_SIZE(1), 0, NULL);
	copy_off();
	check_true(second != first, "the same table for another range");
	check_eq((uintptr_t)second->ht_parent, (uintptr_t)first->ht_parent, "the parent of both");
	look_at(hat, first->ht_parent, VA, 1, 2, 0);
	look_at(hat, second, VA + LEVEL_SIZE(1), 0, 0, 1);
	htable_release(second);
	htable_release(first);
}

/* Anywhere below the kernel, on both sides of the hole. */
static uintptr_t
random_va(void)
{
	for (;;) {
		uintptr_t va = (uintptr_t)check_random(userlimit >> PAGESHIFT) << PAGESHIFT;

		if (!IN_VA_HOLE(va))
			return (va);
	}
}

/* Twice each, so that building and finding both happen. */
CHECK(create_anywhere, "create-anywhere", "htable_create", 3, 4, "create-path", 0)
{
	for (int i = 0; i < 8; i++) {
		uintptr_t va = random_va();
		level_t level = (level_t)check_random(TOP_LEVEL(hat));
		htable_t *ht, *again;

		copy_on(hat);
		ht = htable_create(hat, va, level, NULL);
		again = htable_create(hat, va, level, NULL);
		copy_off();
		check_true(ht->ht_level == level && ht->ht_vaddr == htable_base(hat, va, level),
		    "for 0x%lx at level %d: a table of level %d at 0x%lx", (ulong_t)va, level, ht->ht_level,
		    (ulong_t)ht->ht_vaddr);
		check_eq((uintptr_t)again, (uintptr_t)ht, "the table that exists already");
		htable_release(again);
		htable_release(ht);
	}
}

static void
create_too_high(void *hat)
{
	(void)htable_create(hat, VA, TOP_LEVEL((hat_t *)hat) + 1, NULL);
}

CHECK(create_level, "create-level", "htable_create", 3, 1, NULL, 0)
{
	char text[160];

	copy_on(hat);
	check_true(check_panics(create_too_high, hat, text, sizeof (text)), "no panic for a level above the top");
	copy_off();
	check_note("the panic: %s", text);
}
