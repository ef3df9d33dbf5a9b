/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 5 share: entries and leaves made by hand, so that only the copy under test looks for them.
 */
#ifndef LAB5_CHECKS_H
#define LAB5_CHECKS_H

#include <check/check.h>
#include <check/scratch.h>

/** A leaf of any level that nobody records; those of level 0 show a page, larger ones memory's first bytes. */
static inline x86pte_t
leaf_bits(const page_t *pp, level_t level)
{
	x86pte_t bits = PT_USER | PT_WRITABLE | PT_NOCONSIST | PT_REF | PT_MOD | mmu.pt_nx;

	return (level == 0 ? check_leaf(pp, bits) : MAKEPTE(0, level) | bits);
}

/** One raw entry, noted as whoever makes it valid must note it; no count is raised. */
static inline void
entry_put(htable_t *ht, uint_t entry, x86pte_t e)
{
	htable_note(ht, entry);
	put_raw(ht, entry, e);
}

/** A leaf with all counts, as if loaded; the table is nobody's afterwards. */
static inline x86pte_t
leaf_put(hat_t *hat, uintptr_t va, level_t level, const page_t *pp)
{
	htable_t *ht = htable_create(hat, va, level, NULL);
	x86pte_t e = leaf_bits(pp, level);

	entry_put(ht, htable_va2entry(va, ht), e);
	ht->ht_valid_cnt++;
	hat->hat_pages_mapped[level]++;
	htable_release(ht);
	return (e);
}

static inline void
leaf_take(hat_t *hat, uintptr_t va, level_t level)
{
	htable_t *ht = htable_lookup(hat, va, level);

	check_true(ht != NULL, "the table of level %d over 0x%lx has gone", level, (ulong_t)va);
	put_raw(ht, htable_va2entry(va, ht), 0);
	ht->ht_valid_cnt--;
	hat->hat_pages_mapped[level]--;
	htable_release(ht);
}

/** A bare hat becomes one whose top table lies inside it: a 32-bit process, whichever kernel. Without PAE there is none. */
static inline void
make_narrow(hat_t *hat)
{
	if (mmu.pae_hat) {
		hat->hat_flags |= HAT_VLP;
		hat->hat_top = VLP_LEVEL;
	}
	hat->hat_htable = htable_create(hat, 0, TOP_LEVEL(hat), NULL);
}

#endif
