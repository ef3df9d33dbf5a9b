/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariants F1-F6, E1-E3, P1-P6: frames of tables, bits of leaves, and CPUs.
 */
#include <check/inv_impl.h>
#include <check/peek_phys.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/page.h>

/* ------------------------------------------------------------------ frames */

static bool
owns_frame(const inv_table_t *t)
{
	return (!(t->it_ht.ht_flags & (HTABLE_VLP | HTABLE_SHARED_PFN)));
}

void
inv_F1(inv_table_t *t)
{
	pfn_t pfn = t->it_ht.ht_pfn;

	if (t->it_ht.ht_flags & HTABLE_VLP) {
		if (pfn != PFN_INVALID)
			inv_report(NULL, t, PFN_INVALID, pfn, "a VLP table has a frame");
	} else if (pfn > mmu.highest_pfn || page_numtopp_nolock(pfn) == NULL) {
		inv_report(NULL, t, 1, 0, "pages in frame 0x%lx (ht_pfn)", (ulong_t)pfn);
	}
}

void
inv_F2(void)
{
	inv.nwords = 0;
	inv_for_tables(t) if (owns_frame(t)) inv.words[inv.nwords++] = t->it_ht.ht_pfn;
	for (uint_t c = 0; c < inv.nvlp && inv.nwords + 2 <= inv.maxwords; c++) {
		inv.words[inv.nwords++] = inv.vlp[c].low;
		inv.words[inv.nwords++] = inv.vlp[c].top;
	}
	inv_sort();
	for (uint_t i = 1; i < inv.nwords; i++)
		if (inv.words[i] == inv.words[i - 1])
			inv_report(NULL, NULL, 1, inv.words[i], "two tables have this frame");
}

void
inv_F3(void)
{
	inv_for_tables(t)
	{
		page_t *pp = owns_frame(t) ? page_numtopp_nolock(t->it_ht.ht_pfn) : NULL;

		if (pp == NULL)
			continue; /* F1 has told */
		if (pp->p_state != PAGE_TABLE)
			inv_report(NULL, t, PAGE_TABLE, pp->p_state, "the frame is free, or not known as a table's");
		if (!PAGE_SHARED(pp))
			inv_report(NULL, t, 1, (uint32_t)pp->p_selock, "the frame is not locked shared");
	}
}

static void
judge_zero(const inv_table_t *t)
{
	static x86pte_t e[INV_MAXENTRIES];
	bool zero;

	if (!inv_read_into(t, e, &zero)) {
		inv_report(NULL, t, 0, t->it_ht.ht_pfn, "a cached table's frame cannot be read");
		return;
	}
	for (uint_t i = 0; !zero && i < inv_nentries(t); i++)
		if (e[i] != 0) {
			inv_report(NULL, t, 0, e[i], "a cached table's frame is not zero at slot %u", i);
			return;
		}
}

/* The base and level are left over from its last life, but its frame is read whole. */
void
inv_F5(void)
{
	inv_report_faults("F5");
	inv_for_tables(t)
	{
		inv_table_t whole = *t;

		if (!t->it_cached)
			continue;
		if (t->it_ht.ht_hat != t->it_hat->ih_addr)
			inv_report(NULL, t, (uintptr_t)t->it_hat->ih_addr, (uintptr_t)t->it_ht.ht_hat, "cached by another hat");
		if (t->it_ht.ht_flags != 0)
			inv_report(NULL, t, 0, t->it_ht.ht_flags, "a cached table has flags");
		if (t->it_ht.ht_valid_cnt != 0 || t->it_ht.ht_lock_cnt != 0)
			inv_report(NULL, t, 0, (uint32_t)t->it_ht.ht_valid_cnt | t->it_ht.ht_lock_cnt, "a cached table has counts");
		whole.it_ht.ht_level = 0;
		whole.it_ht.ht_flags = 0;
		judge_zero(&whole);
	}
}

void
inv_F6(void)
{
	inv_report_faults("F6");
}

/* ------------------------------------------------------------------ bits of leaves */

/* All frame bits that this CPU has, from the given size up. */
static x86pte_t
frame_bits(uint64_t size)
{
	return (pfn_to_pa(mmu.highest_pfn) & PT_PADDR & ~(size - 1));
}

static x86pte_t
allowed_bits(const inv_table_t *t, x86pte_t e)
{
	level_t l = t->it_ht.ht_level;
	x86pte_t small = PT_VALID | PT_WRITABLE | PT_USER | PT_WRITETHRU | PT_NOCACHE | PT_REF | PT_SOFTWARE;

	if (!inv_leaf(t, e)) {
		/* Only PAE has a top level of four entries, and reserved bits where others have permissions (and see md_settle_links()). */
		if (l == VLP_LEVEL && (mmu.max_level == VLP_LEVEL))
			return (mmu.ptp_bits[l] | PT_WRITETHRU | PT_NOCACHE | PT_SOFTWARE | frame_bits(PAGESIZE));
		return (small | PT_MOD | PT_GLOBAL | frame_bits(PAGESIZE));
	}
	small |= PT_MOD | PT_GLOBAL | mmu.pt_nx | PT_PAT_4K; /* PS above level 0 is the same bit */
	return (small | frame_bits(LEVEL_SIZE(l)) | (l > 0 ? PT_PAT_LARGE : 0));
}

void
inv_E1(inv_table_t *t, uint_t i, x86pte_t e)
{
	bool global_ok = t->it_hat->ih_kernel && inv_va(t, i) >= kernelbase && mmu.pt_global != 0;
	x86pte_t allowed = allowed_bits(t, e);

	if (!PTE_ISVALID(e))
		return;
	if ((e & ~allowed) != 0)
		inv_report(NULL, t, 0, e & ~allowed, "slot %u, entry 0x%llx: reserved bits", i, (unsigned long long)e);
	if (inv_leaf(t, e) && (e & PT_GLOBAL) && !global_ok)
		inv_report(NULL, t, 0, e, "slot %u: global, and not a leaf of the kernel's part", i);
}

void
inv_E2(inv_table_t *t, uint_t i, x86pte_t e)
{
	if (!inv_leaf(t, e))
		return;
	if (t->it_hat->ih_kernel && (e & PT_USER))
		inv_report(NULL, t, 0, e, "slot %u: a leaf of the kernel is open to user programs", i);
	if (!t->it_hat->ih_kernel && (e & PT_GLOBAL))
		inv_report(NULL, t, 0, e, "slot %u: a user leaf is global", i);
}

/* Leaves that boot made are exempt, and in the kernel's hat nothing tells them from others: user hats are judged. */
void
inv_E3(inv_table_t *t, uint_t i, x86pte_t e)
{
	if (t->it_hat->ih_kernel || !inv_leaf(t, e) || (e & PT_SOFTWARE) < PT_NOSYNC)
		return;
	if ((e & (PT_REF | PT_MOD)) != (PT_REF | PT_MOD))
		inv_report(
		    NULL, t, PT_REF | PT_MOD, e & (PT_REF | PT_MOD), "slot %u: accessed and dirty were not set beforehand", i);
}

/* ------------------------------------------------------------------ CPUs */

static bool
online(uint_t c)
{
	return (cpu[c] != NULL && cpu[c]->cpu_online);
}

static inv_hat_t *
current(uint_t c)
{
	for (uint_t i = 0; i < inv.nhats; i++)
		if (online(c) && inv.hats[i].ih_addr == cpu[c]->cpu_current_hat)
			return (&inv.hats[i]);
	return (NULL);
}

void
inv_P1(void)
{
	for (uint_t i = 1; i < inv.nhats; i++) {
		cpuset_t want = 0;

		for (uint_t c = 0; c < NCPU; c++)
			if (current(c) == &inv.hats[i])
				want |= CPUSET(c);
		if (inv.hats[i].ih_hat.hat_cpus != want)
			inv_report(&inv.hats[i], NULL, want, inv.hats[i].ih_hat.hat_cpus, "hat_cpus is not the CPUs that run it");
	}
}

/* Where the tables of a hat are for one CPU. */
static paddr_t
wanted_cr3(const inv_hat_t *h, uint_t c)
{
	inv_table_t *top = inv_by_addr(h->ih_hat.hat_htable), *ktop = inv_by_addr(inv.hats[0].ih_hat.hat_htable);

	if (!(h->ih_hat.hat_flags & HAT_VLP))
		return (top == NULL ? 0 : pfn_to_pa(top->it_ht.ht_pfn));
	if (mmu.max_level > VLP_LEVEL)
		return (cpu[c]->cpu_hat_info->hci_vlp_cr3);
	return (ktop == NULL ? 0 : pfn_to_pa(ktop->it_ht.ht_pfn) + (c + 1) * VLP_SIZE);
}

/* A CPU that a panic has stopped says no more. */
static bool
is_silent(uint_t c)
{
	return (panicstr != NULL && inv.cr3[c] == 0);
}

void
inv_P2(void)
{
	for (uint_t c = 0; c < NCPU; c++) {
		inv_hat_t *h = current(c);

		if (h != NULL && !is_silent(c) && inv.cr3[c] != wanted_cr3(h, c))
			inv_report(h, NULL, wanted_cr3(h, c), inv.cr3[c], "CR3 of CPU %u is not the root of its hat", c);
	}
}

/* In long mode a table of the CPU's own stands above the four entries: it shows the kernel, and them below its entry 0. */
static void
judge_vlp_top(const inv_hat_t *h, uint_t c)
{
	const struct hat_cpu_info *hci = cpu[c]->cpu_hat_info;
	inv_table_t *ktop = inv_by_addr(inv.hats[0].ih_hat.hat_htable);
	x86pte_t want = MAKEPTP(hat_getpfnum(kas_hat, (uintptr_t)hci->hci_vlp_slots), VLP_LEVEL), have;

	for (uint_t i = 0; ktop != NULL && i < inv_nentries(ktop); i++) {
		if (i > 0 && !inv_read(ktop, i, &want))
			return; /* L5 and others tell */
		if (!peek_phys(hci->hci_vlp_cr3 + i * mmu.pte_size, &have, mmu.pte_size) || have != want)
			inv_report(h, NULL, want, have, "the top table of CPU %u has another entry %u", c, i);
	}
	for (uint_t i = VLP_NUM_PTES; i < mmu.ptes_per_table; i++)
		if (hci->hci_vlp_slots[i] != 0)
			inv_report(h, NULL, 0, hci->hci_vlp_slots[i], "CPU %u has an entry %u beyond the four", c, i);
}

void
inv_P3(void)
{
	x86pte_t have[VLP_NUM_PTES];

	for (uint_t c = 0; c < NCPU; c++) {
		inv_hat_t *h = current(c);

		if (h == NULL || !(h->ih_hat.hat_flags & HAT_VLP) || !online(c))
			continue;
		if (!peek(cpu[c]->cpu_hat_info->hci_vlp_slots, have, sizeof(have))) {
			inv_report(h, NULL, 1, 0, "CPU %u has no place for the entries of a VLP hat", c);
			continue;
		}
		for (uint_t i = 0; i < VLP_NUM_PTES; i++)
			if (have[i] != h->ih_hat.hat_vlp_ptes[i])
				inv_report(h, NULL, h->ih_hat.hat_vlp_ptes[i], have[i], "CPU %u uses another entry %u", c, i);
		if (mmu.max_level > VLP_LEVEL)
			judge_vlp_top(h, c);
	}
}

/* An even window is for tables, an odd one for the source of a copy, read only. */
static void
judge_window(uint_t i, x86pte_t e)
{
	x86pte_t want = PT_VALID | mmu.pt_global | mmu.pt_nx | (i % 2 == 0 ? PT_WRITABLE : 0);
	x86pte_t have = e & ~(PT_PADDR | PT_REF | PT_MOD);

	if (e != 0 && have != want)
		inv_report(&inv.hats[0], NULL, want, have, "page window %u has other bits", i);
}

void
inv_P4(void)
{
	x86pte_t e;

	for (uint_t i = 0; mmu.pwin_base != 0 && i < 2 * NCPU; i++) {
		e = 0;
		if (!peek_phys(mmu.pwin_pte_pa + i * mmu.pte_size, &e, mmu.pte_size))
			inv_report(&inv.hats[0], NULL, 1, mmu.pwin_pte_pa, "the entry of page window %u cannot be read", i);
		else
			judge_window(i, e);
	}
	if (curthread->t_preempt != 0)
		inv_report(NULL, NULL, 0, curthread->t_preempt, "preemption is off at a quiescent point");
}

void
inv_P6(void)
{
	cpuset_t want = 0;

	for (uint_t c = 0; c < NCPU; c++)
		if (online(c))
			want |= CPUSET(c);
	if (khat_cpuset != want)
		inv_report(NULL, NULL, want, khat_cpuset, "khat_cpuset is not the CPUs that are online");
}
