/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 1: x86pte_set(). Reference code: a student's copy is only what they act on.
 *
 * Each works on one table of a scratch address space, built by the reference; results are read back from physical memory.
 */
#define CHECK_PART 3 /* checks run, and are shown, in the order of the handout */

#include <check/outside.h>
#include <labs/lab1-entries/checks.h>

CHECK(set_new, "set-new", "x86pte_set", 1, 2, NULL, 0)
{
	x86pte_t new, old;

	take(hat);
	new = check_leaf(at.a, PT_WRITABLE | mmu.pt_nx);
	expect_leaf(at.va, 0, new);
	copy_on(hat);
	old = x86pte_set(at.ht, at.entry, new, NULL);
	copy_off();
	check_eq(old, 0, "result for an entry that was empty");
	want_entry(new, "where nothing was");
	want_flushes(hat, 0, "a leaf where nothing was");
	check_outside(hat); /* for those who change what is compared above */
	drop();
}

CHECK(set_keeps, "set-keeps", "x86pte_set", 1, 2, "set-new", 0)
{
	x86pte_t before, new, old;

	take(hat);
	before = check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD);
	new = check_leaf(at.a, mmu.pt_nx);
	put_raw(at.ht, at.entry, before);
	copy_on(hat);
	old = x86pte_set(at.ht, at.entry, new, NULL);
	copy_off();
	check_eq(old, before, "result: the value replaced");
	want_entry(new | PT_REF | PT_MOD, "same frame, accessed and dirty kept");
	drop();
}

CHECK(set_moves, "set-moves", "x86pte_set", 1, 1, "set-new", 0)
{
	x86pte_t before, new, old;

	take(hat);
	before = check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD);
	new = check_leaf(at.b, 0);
	put_raw(at.ht, at.entry, before);
	copy_on(hat);
	old = x86pte_set(at.ht, at.entry, new, NULL);
	copy_off();
	check_eq(old, before, "result: the value replaced");
	want_entry(new, "another frame, nothing kept");
	drop();
}

CHECK(set_flush, "set-flush", "x86pte_set", 1, 2, "set-new", 0)
{
	take(hat);
	put_raw(at.ht, at.entry, check_leaf(at.a, PT_REF));
	copy_on(hat);
	(void)x86pte_set(at.ht, at.entry, check_leaf(at.b, 0), NULL);
	want_flushes(hat, 1, "an entry that had been used was replaced");
	trial_forget();
	(void)x86pte_set(at.ht, at.entry, check_leaf(at.a, 0), NULL);
	want_flushes(hat, 0, "an entry that had never been used was replaced");
	drop();
}

CHECK(set_same, "set-same", "x86pte_set", 1, 1, "set-new", 0)
{
	x86pte_t there, new;

	take(hat);
	there = check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD);
	new = check_leaf(at.a, PT_WRITABLE);
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	check_eq(x86pte_set(at.ht, at.entry, new, NULL), new, "result when the value is there already");
	copy_off();
	want_entry(there, "the value was there already");
	want_flushes(hat, 0, "the value was there already");
	drop();
}

CHECK(set_link, "set-link", "x86pte_set", 1, 1, "set-new", 0)
{
	htable_t *up;
	uint_t entry;
	x86pte_t link, old;

	take(hat);
	up = at.ht->ht_parent;
	entry = htable_va2entry(at.va, up);
	link = raw_entry(up, entry);
	copy_on(hat);
	old = x86pte_set(up, entry, MAKEPTE(0, 1) | PT_USER, NULL);
	copy_off();
	check_eq(old, LPAGE_ERROR, "result when a link is in the way of a large page");
	check_eq(raw_entry(up, entry), link, "the link");
	put_raw(up, entry, PTE_CUT);
	copy_on(hat);
	old = x86pte_set(up, entry, MAKEPTE(0, 1) | PT_USER, NULL);
	copy_off();
	put_raw(up, entry, link);
	check_eq(old, LPAGE_ERROR, "result when a stealer has cut the table there off (PTE_CUT)");
	drop();
}

/* Bochs keeps a translation until it is told: whoever forgets to tell it reads the old page. */
CHECK(set_stale, "set-stale", "x86pte_set", 1, 2, "set-new", 0)
{
	uint32_t seen = 0;

	take_quiet(hat);
	run_hat(hat, check_leaf(at.a, PT_WRITABLE));
	copy_on(hat);
	(void)x86pte_set(at.ht, at.entry, check_leaf(at.b, PT_WRITABLE), NULL);
	copy_off();
	check_true(peek((void *)at.va, &seen, sizeof(seen)), "0x%lx cannot be read", (ulong_t)at.va);
	check_true(seen == 0x22222222, "0x%lx was moved to frame 0x%lx, but a read finds 0x%x of the old one, 0x%lx",
	    (ulong_t)at.va, at.b->p_pagenum, seen, at.a->p_pagenum);
	leave_hat(hat);
	drop();
}

/* The caller's pointer is all that may be used: here it leads to an entry beside the table. */
CHECK(set_mapped, "set-mapped", "x86pte_set", 1, 1, "set-new", 0)
{
	x86pte_t new, old, beside ALIGNED(8) = 0;

	take(hat);
	new = check_leaf(at.a, 0);
	copy_on(hat);
	old = x86pte_set(at.ht, at.entry, new, &beside);
	copy_off();
	check_eq(old, 0, "result");
	check_eq(beside, new, "the entry that the caller's pointer leads to");
	want_entry(0, "which the caller's pointer did not lead to");
	drop();
}

/* Between reading the old value and exchanging it, another CPU uses the page. */
CHECK(set_race, "set-race", "x86pte_set", 1, 2, "set-new set-keeps set-flush", 0)
{
	x86pte_t new, old;

	take(hat);
	new = check_leaf(at.a, mmu.pt_nx);
	put_raw(at.ht, at.entry, check_leaf(at.a, PT_WRITABLE));
	copy_on(hat);
	race_on();
	old = x86pte_set(at.ht, at.entry, new, NULL);
	copy_off();
	if (race_happened()) {
		check_eq(
		    old, check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD), "result: the value replaced, used at the last moment");
		want_entry(new | PT_REF | PT_MOD, "the old one was used at the last moment");
		want_flushes(hat, 1, "the old one was used at the last moment");
	}
	drop();
}
