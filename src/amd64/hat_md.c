/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Four levels of 512 entries of 8 bytes [SDM3 4.5].
 */
#include <hat/hat_md.h>
#include <sys/debug.h>
#include <x86/features.h>
#include <memmap.h>

extern char boot_pml4[];

void
md_mmu_geometry(void)
{
	static const uint_t shift[] = { 12, 21, 30, 39, 48 };

	mmu.num_level = 4;
	mmu.top_level_count = 512;
	mmu.pte_size = 8;
	mmu.max_page_level = x86_features.page1g ? 2 : 1;
	mmu.umax_page_level = mmu.max_page_level;
	for (uint_t l = 0; l < NELEM(shift); l++)
		mmu.level_shift[l] = shift[l];
}

bool
md_hat_is_vlp(const struct as *as)
{
	(void)as;
	return (false);
}

void
md_vlp_init(int id, struct hat_cpu_info *hci)
{
	(void)id;
	hci->hci_vlp_slots = NULL;
}

void
md_vlp_copy_kernel(hat_t *hat)
{
	(void)hat;		/* the kernel's part is in the per-CPU top table */
}

pfn_t
md_boot_top(void)
{
	return (pa_to_pfn((uintptr_t)boot_pml4 - KERNEL_OFFSET));
}
