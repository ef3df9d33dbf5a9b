/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All mapped pages of a range, in order.
 */
#include <hat/htable_impl.h>

static uintptr_t
clamp_end(const hat_t *hat, uintptr_t eaddr)
{
	if (eaddr != HTABLE_WALK_TO_END || hat == kas_hat)
		return (eaddr);
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		return (LEVEL_SIZE(VLP_LEVEL) * VLP_NUM_PTES); /* C-10: a 32-bit process of a 64-bit kernel */
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
 * No table at level 0: the lowest one above, held, or NULL after *vap has been moved past everything that cannot be mapped.
 * Where a table is missing, nothing below the entry above it can be a leaf, unless that entry is one itself.
 */
static NOINLINE FLATTEN htable_t *
table_above(hat_t *hat, uintptr_t *vap, uintptr_t eaddr)
{
	level_t max_leaf = max_leaf_level(hat);
	htable_t *ht = NULL;

	for (level_t l = 1; l <= TOP_LEVEL(hat) + 1; l++) {
		if (l > max_leaf) {
			*vap = NEXT_ENTRY_VA(*vap, l);
			if (*vap == 0 || *vap >= eaddr)
				break;
		}
		if (l <= TOP_LEVEL(hat) && (ht = htable_lookup(hat, *vap, l)) != NULL)
			break;
	}
	return (ht);
}

static htable_t *
lowest_table(hat_t *hat, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = *vap;
	htable_t *ht = htable_lookup(hat, va, 0); /* mostly the one */

	if (ht == NULL) {
		ht = table_above(hat, &va, eaddr);
		*vap = va;
	}
	return (ht);
}

x86pte_t FLATTEN
htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = va_skip_hole(*vap);
	htable_t *ht = *htp;

	ASSERT(eaddr > *vap);
	eaddr = clamp_end(hat, eaddr);
	ASSERT(hat == kas_hat || eaddr <= kernelbase);
	if (ht != NULL && htable_base(hat, va, ht->ht_level) != ht->ht_vaddr) {
		htable_release(ht);
		ht = NULL;
	}
	while (va < eaddr) { /* what is behind the end of the address space is 0, and ends it below (C-12) */
		uintptr_t from;
		x86pte_t pte;

		if (ht == NULL)
			ht = lowest_table(hat, &va, eaddr);
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
			va = MAX(va, from); /* C-13: a table below it has just appeared, or will be found now */
		else if (va == 0)
			break; /* C-12: the end of the address space */
	}
	htable_release(ht);
	*htp = NULL;
	*vap = 0;
	return (0);
}
