/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariants L1-L9: entries that lead to tables, and what they must agree with.
 */
#include <check/inv_impl.h>

void
inv_L1(inv_table_t *t)
{
	inv_table_t *p = t->it_parent;
	x86pte_t want, have;
	uint_t i;

	if (inv_is_top(t) || p == NULL || p->it_ht.ht_level != t->it_ht.ht_level + 1)
		return;
	want = MAKEPTP(t->it_ht.ht_pfn, t->it_ht.ht_level); /* not before: there is no link to a top table */
	i = (t->it_ht.ht_vaddr >> LEVEL_SHIFT(p->it_ht.ht_level)) & (inv_nentries(p) - 1);
	if (!inv_read(p, i, &have))
		inv_report(NULL, t, want, 0, "the parent's slot %u cannot be read", i);
	else if (have != want)
		inv_report(NULL, t, want, have, "the parent's slot %u is not our link", i);
}

void
inv_L2(inv_table_t *t, uint_t i, x86pte_t e)
{
	uintptr_t va = inv_va(t, i);
	uint_t n = 0;

	if (!PTE_ISVALID(e) || inv_leaf(t, e))
		return;
	for (inv_table_t *c = NULL; (c = inv_next_at(t->it_hat, va, c)) != NULL;)
		if (c->it_ht.ht_parent == t->it_addr && c->it_ht.ht_pfn == PTE2PFN(e, t->it_ht.ht_level))
			n++;
	if (n != 1)
		inv_report(NULL, t, 1, n, "slot %u links to 0x%llx: not one child with that frame and base", i,
		    (unsigned long long)(e & PT_PADDR));
}

/* In a level-0 table bit 7 is PAT, so that any valid entry there is a leaf and nothing can be wrong. */
void
inv_L3(inv_table_t *t, uint_t i, x86pte_t e)
{
	level_t l = t->it_ht.ht_level;

	if (!inv_leaf(t, e))
		return;
	if (l > mmu.max_page_level)
		inv_report(NULL, t, mmu.max_page_level, l, "slot %u is a leaf, and its level is too high for one", i);
	if (t->it_ht.ht_flags & HTABLE_VLP)
		inv_report(NULL, t, 0, e, "slot %u of a VLP table is a leaf", i);
}

void
inv_L4(inv_table_t *t, uint_t i, x86pte_t e)
{
	if (!PTE_ISVALID(e))
		inv_report(NULL, t, 0, e, "slot %u is not valid, and not 0", i);
}

/* A leaf is used through each copy on its own, so accessed and dirty differ. */
static void
judge_copy(const inv_table_t *t, uint_t i, x86pte_t have, x86pte_t want)
{
	x86pte_t care = ~0ull;

	if (PTE_ISPAGE(want, t->it_ht.ht_level))
		care = ~(x86pte_t)(PT_REF | PT_MOD);
	if ((have ^ want) & care)
		inv_report(NULL, t, want, have, "copied slot %u is not what the kernel's table has", i);
}

/* The kernel's table for the same place has all of them. */
void
inv_L5(inv_table_t *t)
{
	static x86pte_t ours[INV_MAXENTRIES], kernels[INV_MAXENTRIES];
	uint_t n = inv_nentries(t), first = 0;
	bool zero[2];
	inv_table_t *k;

	if (t->it_hat->ih_kernel || !t->it_readable || !inv_may_copy(t))
		return;
	while (first < n && !inv_copied(t, first))
		first++;
	if (first == n)
		return;
	k = inv_find(&inv.hats[0], t->it_ht.ht_vaddr, t->it_ht.ht_level);
	if (k == NULL || inv_nentries(k) != n || !inv_read_into(k, kernels, &zero[0]) || !inv_read_into(t, ours, &zero[1])) {
		inv_report(NULL, t, 1, 0, "copied slot %u has nothing to be compared with", first);
		return;
	}
	for (uint_t i = first; i < n; i++)
		if (inv_copied(t, i))
			judge_copy(t, i, zero[1] ? 0 : ours[i], zero[0] ? 0 : kernels[i]);
}

static void
judge_kernel_slot(level_t l, uintptr_t va)
{
	inv_table_t *above = inv_find(&inv.hats[0], l == mmu.max_level ? 0 : va & LEVEL_MASK(l + 1), l);
	x86pte_t e = 0;

	if (inv_find(&inv.hats[0], va, l - 1) != NULL)
		return;
	if (above == NULL || !inv_read(above, (va >> LEVEL_SHIFT(l)) & (inv_nentries(above) - 1), &e) || !PTE_ISPAGE(e, l))
		inv_report(&inv.hats[0], above, 1, e, "neither a table nor a large leaf at 0x%lx", (ulong_t)va);
}

void
inv_L6(void)
{
	for (int r = 0; r < num_kernel_ranges; r++) {
		const struct hat_kernel_range *k = &kernel_ranges[r];
		uintptr_t va = k->hkr_start;

		do {
			judge_kernel_slot(k->hkr_level, va);
			va += LEVEL_SIZE(k->hkr_level);
		} while (va != k->hkr_end && va > k->hkr_start);
	}
}

void
inv_L7(inv_table_t *t, uint_t i, x86pte_t e)
{
	uintptr_t va = inv_va(t, i), last = va + LEVEL_OFFSET(t->it_ht.ht_level);

	if (t->it_ht.ht_level == 0 || !inv_leaf(t, e))
		return;
	inv_for_linked(o) if (o->it_hat == t->it_hat && o->it_ht.ht_level < t->it_ht.ht_level && o->it_ht.ht_vaddr >= va &&
	    o->it_ht.ht_vaddr <= last) inv_report(NULL, o, 0, e, "this table lies under a leaf of level %d", t->it_ht.ht_level);
}

void
inv_L8(inv_table_t *t, uint_t i, x86pte_t e)
{
	level_t l = t->it_ht.ht_level;

	if (inv_leaf(t, e) && l <= MAX_PAGE_LEVEL && (pfn_to_pa(PTE2PFN(e, l)) & LEVEL_OFFSET(l)) != 0)
		inv_report(NULL, t, 0, e, "slot %u: the frame is not aligned to the page's size", i);
}

static void
judge_index(inv_table_t *t, uint_t i)
{
	uintptr_t va = htable_e2va(&t->it_ht, i);

	if (va != inv_va(t, i) || IN_VA_HOLE(va))
		inv_report(NULL, t, inv_va(t, i), va, "htable_e2va(%u)", i);
	else if (htable_va2entry(va, &t->it_ht) != i)
		inv_report(NULL, t, i, htable_va2entry(va, &t->it_ht), "htable_va2entry(0x%lx)", (ulong_t)va);
}

/* Every index of the first table of each level; of the others, where an error of arithmetic would show: ends and middle. */
void
inv_L9(inv_table_t *t)
{
	uint_t n = inv_nentries(t), some[] = { 0, n / 2 - 1, n / 2, n - 1 };
	bool first = true;

	if (!inv_is_top(t) && (t->it_ht.ht_vaddr & LEVEL_OFFSET(t->it_ht.ht_level + 1)) != 0)
		return; /* S7 has told */
	for (inv_table_t *o = inv.tables; first && o < t; o++)
		first = (o->it_cached || o->it_ht.ht_level != t->it_ht.ht_level);
	for (uint_t i = 0; first && i < n; i++)
		judge_index(t, i);
	for (uint_t i = 0; !first && i < NELEM(some); i++)
		judge_index(t, some[i]);
}
