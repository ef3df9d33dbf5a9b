/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariants S1-S14: how tables and hats hang together.
 */
#include <check/inv_impl.h>

void
inv_S1(inv_hat_t *h)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		const struct hat_chains *hc = &h->ih_hat.hat_chains[k];

		if (hc->hc_mask + 1 < HAT_MINCHAINS || (hc->hc_mask & (hc->hc_mask + 1)) != 0)
			inv_report(
			    h, NULL, HAT_MINCHAINS, (uint64_t)hc->hc_mask + 1, "lock %u: chains are no power of two from 2 up", k);
		if (hc->hc_head == NULL)
			inv_report(h, NULL, 1, 0, "lock %u: no array of chains", k);
		else if (hc->hc_count != h->ih_chained[k])
			inv_report(h, NULL, h->ih_chained[k], hc->hc_count, "lock %u: hc_count is not the number of tables", k);
	}
	if (h->ih_kernel)
		inv_report_faults("S1");
}

void
inv_S2(void)
{
	inv_report_faults("S2");
}

void
inv_S3(inv_table_t *t)
{
	inv_hat_t *h = t->it_hat;
	uint_t want;

	if (t->it_ht.ht_hat != h->ih_addr) {
		inv_report(h, t, (uintptr_t)h->ih_addr, (uintptr_t)t->it_ht.ht_hat, "ht_hat is not the hat whose chain it is on");
		return;
	}
	want = htable_bucket_of(&h->ih_hat, htable_hash(h->ih_addr, t->it_ht.ht_vaddr, t->it_ht.ht_level));
	if (want != t->it_bucket)
		inv_report(h, t, want, t->it_bucket, "on the wrong chain");
}

void
inv_S4(void)
{
	inv_sort();
	for (uint_t i = 1; i < inv.nwords; i++)
		if (inv.words[i] == inv.words[i - 1])
			inv_report(NULL, NULL, 1, inv.words[i], "this table is in two places");
}

void
inv_S5(inv_table_t *t)
{
	for (inv_table_t *o = NULL; (o = inv_next_at(t->it_hat, t->it_ht.ht_vaddr, o)) != NULL && o < t;)
		if (o->it_addr != t->it_addr && o->it_ht.ht_level == t->it_ht.ht_level)
			inv_report(NULL, t, (uintptr_t)o->it_addr, (uintptr_t)t->it_addr, "two tables for the same place");
}

void
inv_S6(inv_table_t *t)
{
	level_t l = t->it_ht.ht_level, top = TOP_LEVEL(&t->it_hat->ih_hat);

	if (l < 0 || l > top) {
		inv_report(NULL, t, top, (uint64_t)l, "level out of range");
		return;
	}
	if (l == top && t->it_ht.ht_parent != NULL)
		inv_report(NULL, t, 0, (uintptr_t)t->it_ht.ht_parent, "a top table has a parent");
	if (l < top && t->it_ht.ht_parent == NULL)
		inv_report(NULL, t, 1, 0, "no parent, and not a top table");
}

void
inv_S6_top(inv_hat_t *h)
{
	uint_t n = 0;

	inv_for_linked(t)
	{
		if (t->it_hat != h || !inv_is_top(t))
			continue;
		n++;
		if (h->ih_hat.hat_htable != t->it_addr)
			inv_report(h, t, (uintptr_t)t->it_addr, (uintptr_t)h->ih_hat.hat_htable, "hat_htable is not the top table");
		if (t->it_ht.ht_vaddr != 0)
			inv_report(h, t, 0, t->it_ht.ht_vaddr, "the top table's base is not 0");
	}
	if (n != 1)
		inv_report(h, NULL, 1, n, "not one top table");
}

void
inv_S7(inv_table_t *t)
{
	if (!inv_is_top(t) && (t->it_ht.ht_vaddr & LEVEL_OFFSET(t->it_ht.ht_level + 1)) != 0)
		inv_report(NULL, t, 0, t->it_ht.ht_vaddr & LEVEL_OFFSET(t->it_ht.ht_level + 1), "the base is not aligned");
}

void
inv_S8(inv_table_t *t)
{
	inv_table_t *p = t->it_parent;

	if (inv_is_top(t) || t->it_ht.ht_parent == NULL)
		return;
	if (p == NULL) {
		inv_report(NULL, t, 0, (uintptr_t)t->it_ht.ht_parent, "the parent is not a linked table of this hat");
		return;
	}
	if (p->it_ht.ht_level != t->it_ht.ht_level + 1)
		inv_report(NULL, t, t->it_ht.ht_level + 1, p->it_ht.ht_level, "the parent is not one level up");
	else if (t->it_ht.ht_vaddr < p->it_ht.ht_vaddr || t->it_ht.ht_vaddr > inv_last(p))
		inv_report(NULL, t, p->it_ht.ht_vaddr, t->it_ht.ht_vaddr, "the parent does not cover this table");
}

void
inv_S9(inv_table_t *t)
{
	uintptr_t va = t->it_ht.ht_vaddr;

	if (IN_VA_HOLE(va))
		inv_report(NULL, t, mmu.hole_start, va, "the base lies in the hole");
	if (t->it_hat->ih_kernel)
		return;
	if (va >= kernelbase)
		inv_report(NULL, t, kernelbase - 1, va, "a user hat's table lies in the kernel, above the last address wanted");
	if ((t->it_hat->ih_hat.hat_flags & HAT_VLP) && (uint64_t)va >> 32 != 0)
		inv_report(NULL, t, 0, va, "a VLP hat's table lies above 4 GiB");
}

void
inv_S10(inv_table_t *t)
{
	uint8_t f = t->it_ht.ht_flags;
	bool vlp = (t->it_hat->ih_hat.hat_flags & HAT_VLP) != 0 && inv_is_top(t);

	if ((f & ~(HTABLE_VLP | HTABLE_SHARED_PFN)) != 0 || f == (HTABLE_VLP | HTABLE_SHARED_PFN))
		inv_report(NULL, t, 0, f, "flags that cannot be");
	if (((f & HTABLE_VLP) != 0) != vlp)
		inv_report(NULL, t, vlp, f & HTABLE_VLP, "HTABLE_VLP is for the top table of a VLP hat");
	if (t->it_hat->ih_kernel && f != 0)
		inv_report(NULL, t, 0, f, "a kernel table has flags");
}

static void
judge_source(const inv_table_t *t, const inv_table_t *s)
{
	if (s->it_hat == t->it_hat || !(s->it_hat->ih_hat.hat_flags & HAT_SHARED))
		inv_report(NULL, t, HAT_SHARED, s->it_hat->ih_hat.hat_flags, "the source is not in another hat marked shared");
	if (s->it_ht.ht_level != t->it_ht.ht_level)
		inv_report(NULL, t, t->it_ht.ht_level, s->it_ht.ht_level, "the source has another level");
	if (s->it_ht.ht_flags & HTABLE_SHARED_PFN)
		inv_report(NULL, t, 0, s->it_ht.ht_flags, "the source is shared itself");
	if (s->it_ht.ht_pfn != t->it_ht.ht_pfn)
		inv_report(NULL, t, s->it_ht.ht_pfn, t->it_ht.ht_pfn, "the frame is not the source's");
}

void
inv_S11(inv_table_t *t)
{
	bool flag = (t->it_ht.ht_flags & HTABLE_SHARED_PFN) != 0;
	inv_table_t *s;

	if (flag != (t->it_ht.ht_shares != NULL)) {
		inv_report(NULL, t, flag, (uintptr_t)t->it_ht.ht_shares, "HTABLE_SHARED_PFN and ht_shares disagree");
		return;
	}
	if (!flag)
		return;
	if (inv_is_top(t))
		inv_report(NULL, t, 0, t->it_ht.ht_flags, "a top table is shared");
	s = inv_by_addr(t->it_ht.ht_shares);
	if (s == NULL)
		inv_report(NULL, t, 0, (uintptr_t)t->it_ht.ht_shares, "the source is not a linked table");
	else
		judge_source(t, s);
}

void
inv_S12(void)
{
	inv_report_faults("S12");
}

static void
judge_unlocked(const inv_hat_t *h, const kmutex_t *m, const char *what)
{
	if (m->m_owner != NULL)
		inv_report(h, NULL, 0, (uintptr_t)m->m_owner, "%s is held", what);
}

void
inv_S13(void)
{
	if (htable_dont_cache != 0)
		inv_report(NULL, NULL, 0, htable_dont_cache, "htable_dont_cache is not 0");
	judge_unlocked(NULL, &hat_list_lock, "hat_list_lock");
	judge_unlocked(NULL, &htable_reserve_mutex, "htable_reserve_mutex");
	for (uint_t i = 0; i < inv.nhats; i++) {
		const inv_hat_t *h = &inv.hats[i];

		if (h->ih_hat.hat_flags & HAT_VICTIM)
			inv_report(h, NULL, 0, HAT_VICTIM, "a hat is marked as a stealer's victim");
		judge_unlocked(h, &h->ih_hat.hat_mutex, "hat_mutex");
		for (uint_t k = 0; k < HAT_NLOCKS; k++)
			judge_unlocked(h, &h->ih_hat.hat_chains[k].hc_lock, "a bucket's lock");
	}
	for (uint_t c = 0; c < NCPU; c++)
		if (cpu[c] != NULL && cpu[c]->cpu_hat_info != NULL)
			judge_unlocked(NULL, &cpu[c]->cpu_hat_info->hci_mutex, "hci_mutex");
}

/* A hat that is gone from the list must be gone from all CPUs. */
void
inv_S14(void)
{
	for (uint_t c = 0; c < NCPU; c++) {
		bool known = false;

		if (cpu[c] == NULL || !cpu[c]->cpu_online || cpu[c]->cpu_current_hat == NULL)
			continue;
		for (uint_t i = 0; i < inv.nhats; i++)
			known = known || inv.hats[i].ih_addr == cpu[c]->cpu_current_hat;
		if (!known)
			inv_report(NULL, NULL, (uintptr_t)kas_hat, (uintptr_t)cpu[c]->cpu_current_hat,
			    "CPU %u runs a hat that is not on the list", c);
	}
}
