/* notices: attach-tree */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the frames are described, but still belong to boot.
 */
#include <hat/htable_impl.h>
#include <vm/page.h>

static htable_t *
describe(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, pfn_t pfn)
{
	htable_t *ht = htable_get_reserve();

	if (ht == NULL)
		panic("htable_attach: the reserve is empty, table 0x%lx of level %d", base, level);
	ht->ht_hat = hat;
	ht->ht_vaddr = base;
	ht->ht_level = level;
	ht->ht_flags = 0;
	ht->ht_permanent = 0;
	ht->ht_busy = 1;
	ht->ht_valid_cnt = 0;
	ht->ht_lock_cnt = 0;
	ht->ht_groups = ~0u; /* what boot left anywhere */
	ht->ht_pfn = pfn;
	ht->ht_parent = parent;
	ht->ht_shares = NULL;
	ht->ht_next = ht->ht_prev = NULL;
	return (ht);
}

static void
publish(htable_t *ht)
{
	hat_t *hat = ht->ht_hat;
	uint_t h = htable_hash(hat, ht->ht_vaddr, ht->ht_level);

	if (ht->ht_parent == NULL)
		hat->hat_htable = ht;
	else
		ht->ht_parent->ht_busy++; /* its child holds it; nobody else runs yet */
	mutex_enter(htable_lock(hat, h));
	htable_chain_insert(ht, h);
	mutex_exit(htable_lock(hat, h));
}

/** C-29: unlink_ptp() will compare this link bit for bit one day, so it must be right now. */
static void
check_link(const htable_t *ht, uint_t entry, x86pte_t pte)
{
	x86pte_t want = MAKEPTP(PTE2PFN(pte, ht->ht_level), ht->ht_level - 1);

	if (pte != want)
		panic("htable_attach: link 0x%llx in entry %u of the table in frame 0x%lx (level %d) should be 0x%llx",
		    (unsigned long long)pte, entry, ht->ht_pfn, ht->ht_level, (unsigned long long)want);
}

void
htable_attach(hat_t *hat, uintptr_t base, level_t level, htable_t *parent, pfn_t pfn)
{
	htable_t *ht = describe(hat, base, level, parent, pfn);
	uintptr_t va = base;

	publish(ht);
	for (uint_t i = 0; i < HTABLE_NUM_PTES(ht); i++, va = NEXT_ENTRY_VA(va, level)) {
		/* the window is pointed anew each time, because the recursion moves it */
		x86pte_t pte = pte_load(PT_INDEX_PTR(kbm_remap_window(pfn_to_pa(pfn), true), i));

		if (!PTE_ISVALID(pte))
			continue;
		atomic_inc_int(&ht->ht_valid_cnt);
		if (PTE_ISPAGE(pte, level)) {
			atomic_add_long(&hat->hat_pages_mapped[level], 1);
		} else {
			check_link(ht, i, pte);
			htable_attach(hat, va, level - 1, ht, PTE2PFN(pte, level));
		}
	}
	if (HTABLE_LAST_PAGE(ht) < kernelbase)
		htable_release(ht); /* boot's leftovers below the kernel may go when they are empty */
	else
		ht->ht_permanent++;
}
