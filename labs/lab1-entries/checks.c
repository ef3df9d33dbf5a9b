/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 1. Reference code: a student's copy is only what they act on.
 *
 * Each works on one table of a scratch address space, built by the reference; results are read back from physical memory.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/page.h>

/* Bochs' TLB is direct mapped by bits 12-22: nothing that the kernel touches often has these, and evicts a stale entry. */
#define VA	((uintptr_t)0x40600000)
#define AT	(VA + 7 * PAGESIZE)
#define ENTRY	((uint_t)(AT >> PAGESHIFT) & (mmu.ptes_per_table - 1))	/* the entries around it stay empty */

static x86pte_t
raw(const htable_t *ht, uint_t entry)
{
	x86pte_t e = 0;

	check_true(peek_phys(pfn_to_pa(ht->ht_pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "table frame 0x%lx", ht->ht_pfn);
	return (e);
}

static void
put_raw(const htable_t *ht, uint_t entry, x86pte_t e)
{
	check_true(poke_phys(pfn_to_pa(ht->ht_pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "table frame 0x%lx", ht->ht_pfn);
}

static page_t *
frame(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page left");
	return (pp);
}

static x86pte_t
leaf(const page_t *pp, x86pte_t bits)
{
	return (MAKEPTE(pp->p_pagenum, 0) | PT_USER | bits);
}

/* What the check made, undone without the unit under test: no count was ever raised. */
static void
finish(htable_t *ht, page_t *a, page_t *b)
{
	copy_off();
	put_raw(ht, ENTRY, 0);
	htable_release(ht);
	page_free(a, 0);
	if (b != NULL)
		page_free(b, 0);
}

/* Only trial images record calls. */
static void
want_flushes(hat_t *hat, uint_t n, const char *what)
{
	if (!trial_records("hat_tlb_inval"))
		return;
	check_eq(trial_calls("hat_tlb_inval", (uintptr_t)hat, TRIAL_ANY), n, what);
	if (n > 0)
		check_eq(trial_last("hat_tlb_inval")->tr_args[1], AT, "address passed to hat_tlb_inval");
}

CHECK(set_new, "set-new", "x86pte_set", 1, 2, NULL, 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame();
	x86pte_t new = leaf(a, PT_WRITABLE | mmu.pt_nx), old;

	copy_on(hat);
	old = x86pte_set(ht, ENTRY, new, NULL);
	copy_off();
	check_eq(old, 0, "result for an entry that was empty");
	check_eq(raw(ht, ENTRY), new, "the entry");
	check_eq(raw(ht, ENTRY - 1), 0, "the entry before it");
	check_eq(raw(ht, ENTRY + 1), 0, "the entry after it");
	want_flushes(hat, 0, "flushes for an entry that was empty");
	finish(ht, a, NULL);
}

CHECK(set_keeps, "set-keeps", "x86pte_set", 1, 3, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame();
	x86pte_t before = leaf(a, PT_WRITABLE | PT_REF | PT_MOD), new = leaf(a, mmu.pt_nx), old;

	put_raw(ht, ENTRY, before);
	copy_on(hat);
	old = x86pte_set(ht, ENTRY, new, NULL);
	copy_off();
	check_eq(old, before, "result: the value replaced");
	check_eq(raw(ht, ENTRY), new | PT_REF | PT_MOD, "the entry: same frame, accessed and dirty kept");
	finish(ht, a, NULL);
}

CHECK(set_moves, "set-moves", "x86pte_set", 1, 3, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame(), *b = frame();
	x86pte_t before = leaf(a, PT_WRITABLE | PT_REF | PT_MOD), new = leaf(b, 0), old;

	put_raw(ht, ENTRY, before);
	copy_on(hat);
	old = x86pte_set(ht, ENTRY, new, NULL);
	copy_off();
	check_eq(old, before, "result: the value replaced");
	check_eq(raw(ht, ENTRY), new, "the entry: another frame, nothing kept");
	finish(ht, a, b);
}

CHECK(set_flush, "set-flush", "x86pte_set", 1, 3, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame(), *b = frame();

	put_raw(ht, ENTRY, leaf(a, PT_REF));
	copy_on(hat);
	(void)x86pte_set(ht, ENTRY, leaf(b, 0), NULL);
	want_flushes(hat, 1, "flushes after replacing an entry that had been used");
	trial_forget();
	(void)x86pte_set(ht, ENTRY, leaf(a, 0), NULL);
	want_flushes(hat, 0, "flushes after replacing an entry that had never been used");
	finish(ht, a, b);
}

CHECK(set_same, "set-same", "x86pte_set", 1, 2, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame();
	x86pte_t there = leaf(a, PT_WRITABLE | PT_REF | PT_MOD), new = leaf(a, PT_WRITABLE);

	put_raw(ht, ENTRY, there);
	copy_on(hat);
	check_eq(x86pte_set(ht, ENTRY, new, NULL), new, "result when the value is there already");
	copy_off();
	check_eq(raw(ht, ENTRY), there, "the entry");
	want_flushes(hat, 0, "cross-calls when the value is there already");
	finish(ht, a, NULL);
}

CHECK(set_link, "set-link", "x86pte_set", 1, 3, "set-new", 0)
{
	htable_t *low = htable_create(hat, VA, 0, NULL), *ht = low->ht_parent;
	uint_t entry = htable_va2entry(VA, ht);
	x86pte_t link = raw(ht, entry), old;

	copy_on(hat);
	old = x86pte_set(ht, entry, MAKEPTE(0, 1) | PT_USER, NULL);
	copy_off();
	check_eq(old, LPAGE_ERROR, "result when a link is in the way of a large page");
	check_eq(raw(ht, entry), link, "the link");
	htable_release(low);
}

/* Bochs keeps a translation until it is told: whoever forgets to tell it reads the old page. */
CHECK(set_stale, "set-stale", "x86pte_set", 1, 4, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame(), *b = frame();
	uint32_t one = 0x11111111, two = 0x22222222, seen = 0;

	check_true(poke_phys(pfn_to_pa(a->p_pagenum), &one, sizeof (one)), "page 0x%lx", a->p_pagenum);
	check_true(poke_phys(pfn_to_pa(b->p_pagenum), &two, sizeof (two)), "page 0x%lx", b->p_pagenum);
	hat_setup(hat);
	put_raw(ht, ENTRY, leaf(a, PT_WRITABLE));
	kpreempt_disable();		/* another thread's turn would reload CR3, and drop the stale translation */
	check_true(peek((void *)AT, &seen, sizeof (seen)), "0x%lx cannot be read", (ulong_t)AT);
	check_eq(seen, one, "what the first page holds");
	copy_on(hat);
	(void)x86pte_set(ht, ENTRY, leaf(b, PT_WRITABLE), NULL);
	copy_off();
	check_true(peek((void *)AT, &seen, sizeof (seen)), "0x%lx cannot be read", (ulong_t)AT);
	kpreempt_enable();
	check_eq(seen, two, "what is read after the entry was moved to the second page");
	put_raw(ht, ENTRY, 0);
	hat_tlb_inval(hat, AT);
	hat_setup(NULL);
	finish(ht, a, b);
}

/* The caller's pointer is all that may be used: here it leads to an entry beside the table. */
CHECK(set_mapped, "set-mapped", "x86pte_set", 1, 2, "set-new", 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	page_t *a = frame();
	x86pte_t new = leaf(a, 0), old, beside ALIGNED(8) = 0;

	copy_on(hat);
	old = x86pte_set(ht, ENTRY, new, &beside);
	copy_off();
	check_eq(old, 0, "result");
	check_eq(beside, new, "the entry that the caller's pointer leads to");
	check_eq(raw(ht, ENTRY), 0, "the entry of the table");
	finish(ht, a, NULL);
}
