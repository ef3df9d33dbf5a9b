/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All mapped pages of a range, in order.
 */
#include <hat/htable_impl.h>

static uintptr_t
clamp_end(const hat_t *hat, uintptr_t eaddr)
{
	if (hat == kas_hat || eaddr != HTABLE_WALK_TO_END)
		return (eaddr);
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		return (LEVEL_SIZE(VLP_LEVEL) * VLP_NUM_PTES);	/* C-10: a 32-bit process of a 64-bit kernel */
	return (kernelbase);
}

/** Highest level that can hold a leaf of this hat. */
static level_t
max_leaf_level(const hat_t *hat)
{
	level_t l = mmu.max_page_level;

	if (hat->hat_ism_pgcnt > 0)
		return (mmu.umax_page_level);
	while (l > 0 && hat->hat_pages_mapped[l] == 0)
		l--;
	return (l);
}

/**
 * The lowest table over *vap, held, or NULL after *vap has been moved past everything that cannot be mapped.
 * Where a table is missing, nothing below the entry above it can be a leaf, unless that entry is one itself.
 */
static htable_t *
lowest_table(hat_t *hat, uintptr_t *vap, uintptr_t eaddr, level_t max_leaf)
{
	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		htable_t *ht = htable_lookup(hat, *vap, l);

		if (ht != NULL)
			return (ht);
		if (l < max_leaf)
			continue;
		*vap = NEXT_ENTRY_VA(*vap, l + 1);
		if (*vap == 0 || *vap >= eaddr)
			break;
	}
	return (NULL);
}

x86pte_t
htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t start = *vap, va = va_skip_hole(start);
	level_t max_leaf = max_leaf_level(hat);
	htable_t *ht = *htp;

	ASSERT(eaddr > start);
	eaddr = clamp_end(hat, eaddr);
	ASSERT(hat == kas_hat || eaddr <= kernelbase);
	if (ht != NULL && (va < ht->ht_vaddr || va > (HTABLE_LAST_PAGE(ht) | PAGEOFFSET))) {
		htable_release(ht);
		ht = NULL;
	}
	while (va >= start && va < eaddr) {
		uintptr_t from;
		x86pte_t pte;

		if (ht == NULL)
			ht = lowest_table(hat, &va, eaddr, max_leaf);
		if (ht == NULL)
			break;
		from = va;
		pte = htable_scan(ht, &va, eaddr);
		if (PTE_ISPAGE(pte, ht->ht_level) && va < eaddr) {
			*htp = ht;
			*vap = va;
			return (pte);
		}
		htable_release(ht);
		ht = NULL;
		if (pte != 0)
			va = MAX(va, from);	/* C-13: a table below it has just appeared, or will be found now */
		else if (va == 0)
			break;			/* C-12: the end of the address space */
	}
	htable_release(ht);
	*htp = NULL;
	*vap = 0;
	return (0);
}
