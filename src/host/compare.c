/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The HAT's walk beside the independent walker's.
 */
#include <host/compare.h>
#include <host/host.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/string.h>

#define SCRATCH_TOP   0x2000u /**< where the four entries of a VLP hat have a level above them */
#define SCRATCH_FRAME 0x1000u /**< below 1 MiB, where the page allocator leaves everything alone */

/** Where the HAT's walk stands. */
struct beside {
	hat_t *hat;
	htable_t *ht;
	uintptr_t va;
	ulong_t leaves;
};

paddr_t
hat_root(hat_t *hat)
{
	if (!(hat->hat_flags & HAT_VLP))
		return (pfn_to_pa(hat->hat_htable->ht_pfn));
	memcpy(machine_phys(SCRATCH_FRAME), hat->hat_vlp_ptes, sizeof(hat->hat_vlp_ptes));
	if (mmu.max_level == VLP_LEVEL)
		return (SCRATCH_FRAME);
	*(x86pte_t *)machine_phys(SCRATCH_TOP) = SCRATCH_FRAME | PT_PTPBITS;
	return (SCRATCH_TOP);
}

uintptr_t
hat_last(const hat_t *hat)
{
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		return (UINT32_MAX);
	return (hat == kas_hat ? UINTPTR_MAX : kernelbase - 1);
}

/** The HAT's walk moves this CPU's page window, which is among what it finds: there the frame does not count. */
static bool
same_entry(uintptr_t va, x86pte_t a, x86pte_t b)
{
	x86pte_t ignore = va - mmu.pwin_base < 2 * NCPU * PAGESIZE ? PT_PADDR : 0;

	return (((a ^ b) & ~ignore) == 0);
}

static bool
next_leaf(const walk_leaf_t *leaf, void *arg)
{
	struct beside *b = arg;
	x86pte_t pte = htable_walk(b->hat, &b->ht, &b->va, HTABLE_WALK_TO_END);

	expect(pte != 0, "htable_walk() ends before 0x%llx", (unsigned long long)leaf->wl_va);
	expect(b->va == leaf->wl_va && same_entry(b->va, pte, leaf->wl_entry) && b->ht->ht_level == leaf->wl_level,
	    "htable_walk() finds 0x%lx, entry 0x%llx, level %d; in memory comes 0x%llx, entry 0x%llx, level %d", b->va,
	    (unsigned long long)pte, b->ht->ht_level, (unsigned long long)leaf->wl_va, (unsigned long long)leaf->wl_entry,
	    leaf->wl_level);
	b->va += LEVEL_SIZE(b->ht->ht_level);
	b->leaves++;
	return (true);
}

ulong_t
hat_compare(hat_t *hat)
{
	struct beside b = { .hat = hat };

	expect(walk_range(walk_mode(), hat_root(hat), 0, hat_last(hat), next_leaf, &b), "the tables cannot be walked");
	if (b.leaves > 0 && b.va == 0)
		htable_release(b.ht); /* the very last page was mapped */
	else
		expect(htable_walk(hat, &b.ht, &b.va, HTABLE_WALK_TO_END) == 0, "htable_walk() finds 0x%lx, which is not in memory",
		    b.va);
	return (b.leaves);
}
