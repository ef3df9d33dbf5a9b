/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariant F4: who may map a page table, and where.
 *
 * User address spaces never. The kernel at the places that are made for it: the linear map, boot's mapping of the image and of
 * boot memory, and the window table.
 */
#include <check/inv_impl.h>
#include <check/walk.h>
#include <sys/windows.h>
#include <vm/page.h>
#include <memmap.h>

page_t *
inv_page_in_state(const inv_table_t *t, x86pte_t e, int state)
{
	level_t l = t->it_ht.ht_level;
	pfn_t pfn = PTE2PFN(e, l);

	for (pfn_t n = LEVEL_SIZE(l) >> PAGESHIFT; n > 0; n--, pfn++) {
		page_t *pp = page_numtopp_nolock(pfn);

		if (pp != NULL && pp->p_state == state)
			return (pp);
	}
	return (NULL);
}

/* All page windows are private slots, and P4's. What the others are for is in sys/windows.h. */
static bool
is_window_for(uintptr_t va, pfn_t pfn)
{
	const inv_table_t *top;

	switch ((va - WINDOW_BASE) >> PAGESHIFT) {
	case WINDOW_BOOT:
		return (true);
	case WINDOW_VLP:
		top = inv_by_addr(inv.hats[0].ih_hat.hat_htable);
		return (top != NULL && pfn == top->it_ht.ht_pfn);
	case WINDOW_TABLE:
		return (pfn == pa_to_pfn(mmu.pwin_pte_pa));
	default:
		return (false);
	}
}

/* Boot's leaves below kernelbase are gone once start-up is over; until then they map one to one. */
static bool
is_linear(uintptr_t va, paddr_t pa)
{
	if (kpm_vbase != 0 && va - KPM_BASE == pa)
		return (true);
	if (va >= KERNEL_OFFSET && va < BOOTMEM_END && va - KERNEL_OFFSET == pa)
		return (true);
	return (va < kernelbase && va == pa);
}

static bool
kernel_may(const inv_table_t *t, uint_t i, x86pte_t e)
{
	uintptr_t va = inv_va(t, i);
	pfn_t pfn = PTE2PFN(e, t->it_ht.ht_level);

	return (is_linear(va, pfn_to_pa(pfn)) || (va >= WINDOW_BASE && is_window_for(va, pfn)));
}

void
inv_find_vlp(void)
{
	walk_leaf_t leaf;

	inv.nvlp = 0;
	for (uint_t c = 0; c < NCPU && mmu.max_level > VLP_LEVEL; c++) {
		const struct hat_cpu_info *hci = cpu[c] == NULL ? NULL : cpu[c]->cpu_hat_info;

		if (hci == NULL || !walk_lookup(walk_mode(), walk_root(), (uintptr_t)hci->hci_vlp_slots, &leaf))
			continue;
		inv.vlp[inv.nvlp].slots = (uintptr_t)hci->hci_vlp_slots;
		inv.vlp[inv.nvlp].low = pa_to_pfn(leaf.wl_pa + ((uintptr_t)hci->hci_vlp_slots - leaf.wl_va));
		inv.vlp[inv.nvlp++].top = pa_to_pfn(hci->hci_vlp_cr3);
	}
}

/* A CPU's own tables for VLP hats are ordinary kernel memory; the four entries are written through its one address. */
static bool
maps_vlp(const inv_table_t *t, uint_t i, x86pte_t e)
{
	pfn_t pfn = PTE2PFN(e, t->it_ht.ht_level);

	for (uint_t c = 0; c < inv.nvlp && t->it_ht.ht_level == 0; c++)
		if ((pfn == inv.vlp[c].low && inv_va(t, i) != inv.vlp[c].slots) || (pfn == inv.vlp[c].top && !t->it_hat->ih_kernel))
			return (true);
	return (false);
}

/* That every table's frame is in this state is F3's; a leaf where there can be none is L3's. */
void
inv_F4(inv_table_t *t, uint_t i, x86pte_t e)
{
	page_t *pp;

	if (t->it_ht.ht_level > mmu.max_page_level || !inv_leaf(t, e) || (t->it_hat->ih_kernel && kernel_may(t, i, e)))
		return;
	pp = inv_page_in_state(t, e, PAGE_TABLE);
	if (pp != NULL)
		inv_report(NULL, t, PAGE_USER, pp->p_pagenum, "slot %u, entry 0x%llx: maps a page table", i, (unsigned long long)e);
	else if (maps_vlp(t, i, e))
		inv_report(
		    NULL, t, PAGE_USER, PTE2PFN(e, 0), "slot %u, entry 0x%llx: maps a CPU's own tables", i, (unsigned long long)e);
}
