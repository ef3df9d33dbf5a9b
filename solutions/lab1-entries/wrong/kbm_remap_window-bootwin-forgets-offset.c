/* notices: bootwin-shows */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The one window through which boot sees physical memory.
 */
#include <hat/x86pte.h>
#include <sys/windows.h>
#include <x86/cpufunc.h>
#include <memmap.h>

void *
kbm_remap_window(paddr_t pa, bool writable)
{
	uintptr_t va = WINDOW_VA(WINDOW_BOOT);
	x86pte_t pte = MAKEPTE(pa_to_pfn(pa), 0) | PT_NOCONSIST | PT_REF | PT_MOD | mmu.pt_nx | mmu.pt_global;

	if (writable)
		pte |= PT_WRITABLE;
	pte_store(PT_INDEX_PTR(WINDOW_VA(WINDOW_TABLE), WINDOW_BOOT), pte);
	invlpg(va);
	return ((void *)va);
}
