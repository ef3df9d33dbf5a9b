/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The linear map of all memory (kpm), where there is one: arithmetic.
 */
#include <hat/hat_impl.h>
#include <sys/bootinfo.h>
#include <vm/page.h>

void *
hat_kpm_pfn2va(pfn_t pfn)
{
	return ((void *)(kpm_vbase + (uintptr_t)pfn_to_pa(pfn)));
}

pfn_t
hat_kpm_va2pfn(const void *va)
{
	ASSERT(kpm_vbase != 0 && (uintptr_t)va >= kpm_vbase);
	return (pa_to_pfn((uintptr_t)va - kpm_vbase));
}

void *
hat_kpm_page2va(page_t *pp)
{
	ASSERT(kpm_vbase != 0);
	return (hat_kpm_pfn2va(pp->p_pagenum));
}

page_t *
hat_kpm_vaddr2page(const void *va)
{
	return (page_numtopp_nolock(hat_kpm_va2pfn(va)));
}

void *
hat_kpm_mapin(page_t *pp)
{
	return (kpm_vbase == 0 ? NULL : hat_kpm_page2va(pp));
}

void
hat_kpm_mapout(page_t *pp, void *va)
{
	ASSERT(hat_kpm_vaddr2page(va) == pp);
	(void)pp, (void)va;
}

void
hat_kpm_walk(void (*func)(void *arg, void *va, size_t len), void *arg)
{
	for (int i = 0; kpm_vbase != 0 && i < bootinfo.bi_nram; i++) {
		const boot_range_t *r = &bootinfo.bi_ram[i];

		func(arg, hat_kpm_pfn2va(pa_to_pfn(r->br_start)), (size_t)(r->br_end - r->br_start));
	}
}

void
hat_kpm_fault(uintptr_t va)
{
	panic("hat_kpm_fault: 0x%lx in the linear map is no memory", va);
}
