/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Three levels of 8-byte entries, four of them at the top [SDM3 4.4]; or two levels of 4-byte ones [SDM3 4.3].
 *
 * Which, the entry code has chosen (start.S): CR4 tells.
 */
#include <hat/hat_md.h>
#include <sys/debug.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define VLP_GROUPS (PAGESIZE / VLP_SIZE) /* 128: the kernel's directory pointers and those of 127 CPUs */

extern char boot_top[];

static void
pae_geometry(void)
{
	static const uint_t shift[] = { 12, 21, 30, 32 };

	mmu.num_level = 3;
	mmu.top_level_count = VLP_NUM_PTES;
	mmu.pte_size = 8;
	mmu.max_page_level = 1;
	for (uint_t l = 0; l < NELEM(shift); l++)
		mmu.level_shift[l] = shift[l];
}

static void
nonpae_geometry(void)
{
	static const uint_t shift[] = { 12, 22, 32 };

	mmu.num_level = 2;
	mmu.top_level_count = 1024;
	mmu.pte_size = 4;
	mmu.max_page_level = read_cr4() & CR4_PSE ? 1 : 0;
	for (uint_t l = 0; l < NELEM(shift); l++)
		mmu.level_shift[l] = shift[l];
}

void
md_mmu_geometry(void)
{
	if (read_cr4() & CR4_PAE)
		pae_geometry();
	else
		nonpae_geometry();
	mmu.umax_page_level = mmu.max_page_level;
}

bool
md_hat_is_vlp(const struct as *as)
{
	(void)as;
	return (mmu.pae_hat);
}

/** Group 0 of the page is the kernel's own directory, group c + 1 belongs to CPU c; each is 32-byte aligned for CR3. */
void
md_vlp_init(int id, struct hat_cpu_info *hci)
{
	uint_t group = id + 1;

	if (!mmu.pae_hat)
		return;
	if (group >= VLP_GROUPS)
		panic("CPU %d: at most %u CPUs fit the page of directory pointers", id, (uint_t)(VLP_GROUPS - 1));
	hci->hci_vlp_slots = (x86pte_t *)(vlp_page + group * VLP_SIZE);
	hci->hci_vlp_cr3 = pfn_to_pa(md_boot_top()) + group * VLP_SIZE;
}

void
md_vlp_copy_kernel(hat_t *hat)
{
	const x86pte_t *kernel = (const x86pte_t *)vlp_page;

	for (int r = 0; r < num_kernel_ranges; r++) {
		if (kernel_ranges[r].hkr_level != VLP_LEVEL)
			continue;
		for (uint_t i = kernel_ranges[r].hkr_start >> LEVEL_SHIFT(VLP_LEVEL); i < VLP_NUM_PTES; i++)
			hat->hat_vlp_ptes[i] = kernel[i];
	}
}

pfn_t
md_boot_top(void)
{
	return (pa_to_pfn((uintptr_t)boot_top - KERNEL_OFFSET));
}

/*
 * A PAE directory pointer has no accessed bit, it is a reserved one [SDM3 4.4.1]. QEMU sets it all the same. Whose MMU does so
 * must find it set beforehand; any other would refuse it.
 */
void
md_settle_links(x86pte_t *top)
{
	x86pte_t all = 0;

	if (!mmu.pae_hat)
		return;
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		all |= top[i];
	if ((all & PT_REF) == 0)
		return;
	mmu.ptp_bits[VLP_LEVEL] |= PT_REF;
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		if (PTE_ISVALID(top[i]))
			top[i] |= PT_REF;
}
