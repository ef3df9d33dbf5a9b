/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Four levels of 512 entries of 8 bytes [SDM3 4.5].
 */
#include <hat/hat_md.h>
#include <hat/x86pte.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/string.h>
#include <vm/as.h>
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
	return (as != NULL && as->a_32bit);
}

/** A page of ordinary kernel memory, for the MMU to read: its frame. */
static pfn_t
frame_of(const x86pte_t *page)
{
	ASSERT(((uintptr_t)page & PAGEOFFSET) == 0);
	return (hat_getpfnum(kas_hat, (uintptr_t)page));
}

/**
 * Two tables for each CPU: a top table that shows the kernel, whose slots no longer change, and below its entry 0 the table
 * that the four entries of the running hat are copied into. The rest of that one stays empty.
 */
void
md_vlp_init(int id, struct hat_cpu_info *hci)
{
	x86pte_t *top = kmem_alloc(PAGESIZE, KM_SLEEP), *low = kmem_zalloc(PAGESIZE, KM_SLEEP);

	(void)id;
	memcpy(top, x86pte_access_pagetable(kas_hat->hat_htable, 0), PAGESIZE);
	x86pte_release_pagetable(kas_hat->hat_htable);
	top[0] = MAKEPTP(frame_of(low), VLP_LEVEL);
	hci->hci_vlp_slots = low;
	hci->hci_vlp_cr3 = pfn_to_pa(frame_of(top));
}

void
md_vlp_copy_kernel(hat_t *hat)
{
	(void)hat; /* the kernel's part is in the per-CPU top table */
}

pfn_t
md_boot_top(void)
{
	return (pa_to_pfn((uintptr_t)boot_pml4 - KERNEL_OFFSET));
}

/* Every level's links have an accessed bit, and PT_PTPBITS has it set. */
void
md_settle_links(x86pte_t *top)
{
	(void)top;
}
