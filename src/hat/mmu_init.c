/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Fill `mmu` from what the CPU has and what the flavour's geometry says.
 */
#include <hat/hat_md.h>
#include <hat/mmu.h>
#include <x86/cpufunc.h>
#include <sys/startup.h>
#include <x86/features.h>

static void
levels_init(void)
{
	for (uint_t l = 0; l <= mmu.num_level; l++) {
		bool fits = mmu.level_shift[l] < 8 * sizeof(uintptr_t);

		mmu.level_size[l] = fits ? (uintptr_t)1 << mmu.level_shift[l] : 0;
		mmu.level_offset[l] = mmu.level_size[l] - 1;
		mmu.level_mask[l] = ~mmu.level_offset[l];
	}
}

/** Links allow everything, leaves restrict (spec 5.1); a PAE directory pointer has no permission bits [SDM3 4.4.1]. */
static void
entry_bits_init(void)
{
	for (level_t l = 0; l <= mmu.max_level; l++) {
		mmu.pte_bits[l] = PT_VALID | (l > 0 ? PT_PAGESIZE : 0);
		mmu.ptp_bits[l] = l > 0 ? PT_PTPBITS : 0;
	}
	if (mmu.num_level == 3)
		mmu.ptp_bits[2] = PT_VALID;
}

/** The last canonical address below the hole is 2^(bits - 1) - 1 [SDM1 3.3.7.1]. */
static void
hole_init(void)
{
	if (mmu.num_level < MAX_NUM_LEVEL) {
		mmu.hole_start = UINTPTR_MAX;
		mmu.hole_end = 0;
		return;
	}
	mmu.hole_start = (uintptr_t)1 << (mmu.level_shift[MAX_NUM_LEVEL] - 1);
	mmu.hole_end = -mmu.hole_start - 1;
}

/** Switch on what entries may then use; the other CPUs copy this CPU's registers. */
static void
paging_features_on(void)
{
	bool nx = x86_features.nx && mmu.pae_hat; /* entries of 4 bytes have no place for it */

	if (nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	if (x86_features.pge)
		write_cr4(read_cr4() | CR4_PGE);
	mmu.pt_nx = nx ? PT_NX : 0;
	mmu.pt_global = x86_features.pge ? PT_GLOBAL : 0;
}

void
mmu_init(void)
{
	features_init();
	if (!x86_features.cx8)
		panic("this CPU has no 8-byte compare-and-exchange (CMPXCHG8B)");
	md_mmu_geometry();
	mmu.max_level = mmu.num_level - 1;
	mmu.pae_hat = mmu.pte_size == 8;
	mmu.pte_size_shift = mmu.pae_hat ? 3 : 2;
	mmu.group_shift = mmu.pae_hat ? 4 : 5; /* 32 groups a table, whatever the size of an entry */
	mmu.ptes_per_table = PAGESIZE / mmu.pte_size;
	mmu.highest_pfn = mmu.pae_hat ? pa_to_pfn((1ull << x86_features.maxphyaddr) - 1) : pa_to_pfn(UINT32_MAX);
	levels_init();
	entry_bits_init();
	hole_init();
	paging_features_on();
}
