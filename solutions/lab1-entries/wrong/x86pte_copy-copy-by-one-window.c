/* notices[i386]: copy-range */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Copy entries into a table that no CPU uses yet.
 */
#include <hat/x86pte.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

/** This CPU's second window, read-only: the first one shows the destination meanwhile. */
static void *
source_mapin(pfn_t pfn)
{
	uint_t window = 2 * CPU->cpu_id;
	uintptr_t va = mmu.pwin_base + window * PAGESIZE;

	if (kpm_vbase != 0)
		return (hat_kpm_pfn2va(pfn));
	pte_store(PT_INDEX_PTR(mmu.pwin_pte_va, window), MAKEPTE(pfn, 0) | PT_REF | PT_MOD | mmu.pt_global | mmu.pt_nx);
	invlpg(va);
	return ((void *)va);
}

void
x86pte_copy(htable_t *src, htable_t *dest, uint_t entry, uint_t count)
{
	void *to;

	ASSERT(khat_running);
	ASSERT(!((src->ht_flags | dest->ht_flags) & (HTABLE_VLP | HTABLE_SHARED_PFN)));
	to = x86pte_access_pagetable(dest, entry);
	memcpy(to, PT_INDEX_PTR(source_mapin(src->ht_pfn), entry), (size_t)count << mmu.pte_size_shift);
	x86pte_release_pagetable(dest);
}
