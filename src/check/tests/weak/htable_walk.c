/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The walk as the original design has it, entry by entry, with its weak points to choose from (spec, appendix C).
 *
 * With none of them it is a right answer. src/tests/test_weak.py makes a copy with each, and one with none.
 */
#include <hat/htable_impl.h>

enum {
	WEAK_NONE,
	WEAK_HOLE, /**< C-9: the last byte of the hole is taken for the first address above it */
	WEAK_4G,   /**< C-10: a 32-bit process of a 64-bit kernel is walked beyond 4 GiB */
	WEAK_WRAP, /**< C-12: from address 0 on, nobody notices that the end of the address space is the beginning */
	WEAK_RACE, /**< C-13: a table that appears while it is looked for ends the walk */
};
static const int weak = WEAK_NONE;

static uintptr_t
next_entry_va(uintptr_t va, level_t level)
{
	uintptr_t next = (va & LEVEL_MASK(level)) + LEVEL_SIZE(level);

	if (weak == WEAK_HOLE)
		return (next == mmu.hole_start ? mmu.hole_end : next);
	return (va_skip_hole(next));
}

/** The first valid entry from *vap on, or 0; *vap becomes its address, or the first one not looked at. */
static x86pte_t
scan(htable_t *ht, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = *vap & LEVEL_MASK(ht->ht_level);
	uint_t i = htable_va2entry(va, ht);
	x86pte_t pte = x86pte_get(ht, i);

	while (!PTE_ISVALID(pte)) {
		va += LEVEL_SIZE(ht->ht_level);
		pte = 0;
		if (va >= eaddr || ++i == HTABLE_NUM_PTES(ht))
			break;
		pte = x86pte_get(ht, i);
	}
	if (weak == WEAK_HOLE && ht->ht_level == MAX_NUM_LEVEL - 1 && IN_VA_HOLE(va))
		va += mmu.hole_end - mmu.hole_start;
	if (weak != WEAK_HOLE)
		va =
		    ht->ht_level == MAX_NUM_LEVEL - 1 && IN_VA_HOLE(va) ? va + mmu.hole_end - mmu.hole_start + 1 : va_skip_hole(va);
	*vap = va;
	return (pte);
}

static uintptr_t
clamp_end(const hat_t *hat, uintptr_t eaddr)
{
	if (hat == kas_hat || eaddr != HTABLE_WALK_TO_END)
		return (eaddr);
	return (weak != WEAK_4G && (hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL ? VLP_NUM_PTES * LEVEL_SIZE(VLP_LEVEL) :
											     kernelbase);
}

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

/** The lowest table over *vap, held; NULL: the walk is at its end. */
static htable_t *
lowest_table(hat_t *hat, uintptr_t *vap, uintptr_t eaddr)
{
	level_t max_leaf = max_leaf_level(hat);

	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		htable_t *ht = htable_lookup(hat, *vap, l);

		if (ht != NULL)
			return (ht);
		ASSERT(weak != WEAK_4G || l < TOP_LEVEL(hat)); /* as the original: there is a top table over every address */
		if (l < max_leaf)
			continue;
		*vap = next_entry_va(*vap, l + 1);
		if (*vap >= eaddr || (*vap == 0 && weak != WEAK_WRAP))
			break;
	}
	return (NULL);
}

x86pte_t
htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = weak == WEAK_HOLE ? *vap : va_skip_hole(*vap), start = va;
	htable_t *ht = *htp;

	eaddr = clamp_end(hat, eaddr);
	if (ht != NULL && (va < ht->ht_vaddr || va > (HTABLE_LAST_PAGE(ht) | PAGEOFFSET))) {
		htable_release(ht);
		ht = NULL;
	}
	while (va < eaddr && va >= start) {
		uintptr_t from = va;
		x86pte_t pte;

		if (ht == NULL && (ht = lowest_table(hat, &va, eaddr)) == NULL)
			break;
		from = va;
		pte = scan(ht, &va, eaddr);
		if (PTE_ISPAGE(pte, ht->ht_level) && va < eaddr) {
			*htp = ht;
			*vap = va;
			return (pte);
		}
		htable_release(ht);
		ht = NULL;
		if (pte != 0 && weak != WEAK_RACE)
			va = MAX(va, from);
		if (pte == 0 && va == 0 && weak != WEAK_WRAP)
			break;
	}
	*htp = NULL;
	*vap = 0;
	return (0);
}
