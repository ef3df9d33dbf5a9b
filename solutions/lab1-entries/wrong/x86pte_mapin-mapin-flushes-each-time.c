/* notices[i386]: mapin-again */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make a table addressable: boot window, linear map, or this CPU's page window.
 */
#include <hat/x86pte.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

/**
 * The window's entry keeps its last frame, so repeated access to one table costs no flush. Accessed and dirty are there from
 * the start: the MMU then never writes to an entry that is about to name another frame.
 */
static void *
window_mapin(pfn_t pfn)
{
	uint_t window;
	uintptr_t va;
	void *pte;
	x86pte_t want;

	kpreempt_disable();
	ASSERT(CPU->cpu_hat_info != NULL);
	mutex_enter(&CPU->cpu_hat_info->hci_mutex);
	window = 2 * CPU->cpu_id;
	va = mmu.pwin_base + window * PAGESIZE;
	pte = PT_INDEX_PTR(mmu.pwin_pte_va, window);
	want = MAKEPTE(pfn, 0) | PT_WRITABLE | PT_REF | PT_MOD | mmu.pt_global | mmu.pt_nx;
	pte_store(pte, want);
	invlpg(va);
	return ((void *)va);
}

static void *COLD
map_slowly(pfn_t pfn)
{
	return (khat_running ? window_mapin(pfn) : kbm_remap_window(pfn_to_pa(pfn), true));
}

static void COLD
window_mapout(cpu_t *cp)
{
	if (!khat_running)
		return; /* the boot window is nobody's */
	mutex_exit(&cp->cpu_hat_info->hci_mutex);
	kpreempt_enable();
}

void *
x86pte_mapin(pfn_t pfn, uint_t index, htable_t *ht)
{
	(void)ht;
	ASSERT(pfn != PFN_INVALID);
	if (ptable_vbase != 0)
		return (PT_INDEX_PTR(hat_kpm_pfn2va(pfn), index));
	return (PT_INDEX_PTR(md_ask_cold(map_slowly, pfn), index));
}

void
x86pte_mapout(void)
{
	if (ptable_vbase == 0)
		md_call_cold(window_mapout, CPU);
}
