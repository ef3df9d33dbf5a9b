/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Attributes of mappings, and the accessed and dirty bits that the MMU leaves in them (spec 9.3).
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>

/* The list of one page of a group is locked, the bits of all of them change: so they change atomically. */
void
hati_sync_pte(x86pte_t pte, level_t level)
{
	uint8_t bits = (pte & PT_REF ? P_REF : 0) | (pte & PT_MOD ? P_MOD : 0);
	pfn_t pfn = PTE2PFN(pte, level);

	for (pfn_t n = LEVEL_SIZE(level) >> PAGESHIFT; bits != 0 && n > 0; n--, pfn++) {
		page_t *pp = page_numtopp_nolock(pfn);

		if (pp != NULL && (pp->p_nrm & bits) != bits)
			atomic_or_8(&pp->p_nrm, bits);
	}
}

/**
 * Would these bits of `expect` get lost? A page that cannot be written must not look dirty, and whoever clears them or stops
 * collecting wants them in the page.
 */
static bool
must_collect(x86pte_t expect, x86pte_t wanted)
{
	if ((expect & PT_SOFTWARE) >= PT_NOSYNC || !(expect & (PT_REF | PT_MOD)))
		return (false);
	return ((wanted & PT_SOFTWARE) >= PT_NOSYNC || !(wanted & PT_WRITABLE) || !(wanted & (PT_REF | PT_MOD)));
}

bool
hati_update_pte(htable_t *ht, uint_t entry, x86pte_t expect, x86pte_t wanted)
{
	bool collect = must_collect(expect, wanted);

	if (collect)
		wanted &= ~(PT_REF | PT_MOD);
	if ((wanted & PT_SOFTWARE) >= PT_NOSYNC)
		wanted |= PT_REF | PT_MOD; /* C-41: the MMU shall never write to it */
	if (x86pte_update(ht, entry, expect, wanted) != expect)
		return (false);
	if (collect)
		hati_sync_pte(expect, ht->ht_level);
	return (true);
}

/* ------------------------------------------------------------------ ranges of recorded leaves */

enum what { SYNC, SET, CLEAR, CHANGE, PROTECT };

/** What is to be done to each leaf. */
struct job {
	enum what what;
	uint_t attr; /**< or HAT_SYNC_* */
};

/** Bits whose meaning these attributes are, and the value that they stand for: NX is set where PROT_EXEC is not. */
static x86pte_t
attr_bits(uint_t attr)
{
	return ((attr & PROT_WRITE ? PT_WRITABLE : 0) | (attr & PROT_EXEC ? 0 : mmu.pt_nx) | (attr & HAT_NOSYNC ? PT_NOSYNC : 0));
}

static x86pte_t
new_entry(x86pte_t old, const struct job *j)
{
	x86pte_t all = PT_WRITABLE | PT_NOSYNC | mmu.pt_nx;
	x86pte_t named = (j->attr & PROT_WRITE ? PT_WRITABLE : 0) | (j->attr & PROT_EXEC ? mmu.pt_nx : 0) |
	    (j->attr & HAT_NOSYNC ? PT_NOSYNC : 0);

	switch (j->what) {
	case SYNC:
		return (old & ~(PT_REF | PT_MOD));
	case SET:
		return ((old & ~named) | (attr_bits(j->attr) & named));
	case CLEAR:
		return ((old & ~named) | (attr_bits(~j->attr) & named));
	case CHANGE:
		return ((old & ~all) | attr_bits(j->attr));
	case PROTECT:
		all &= ~PT_NOSYNC;
		return ((old & ~all) | (attr_bits(j->attr) & all));
	}
	return (old);
}

/** Nothing to do for this leaf? */
static bool
is_done(x86pte_t pte, const struct job *j)
{
	if (j->what == SYNC && (pte & PT_SOFTWARE) >= PT_NOSYNC)
		return (true);
	return ((pte & PT_SOFTWARE) >= PT_NOCONSIST || new_entry(pte, j) == pte);
}

/** One try, with the list of its page locked. False: the leaf has changed. */
static bool
do_leaf(htable_t *ht, uint_t entry, x86pte_t pte, const struct job *j)
{
	if (j->what == SYNC && !(j->attr & HAT_SYNC_ZERORM)) {
		hati_sync_pte(pte, ht->ht_level);
		return (true);
	}
	return (hati_update_pte(ht, entry, pte, new_entry(pte, j)));
}

/** `pte` says which list to lock, and what is found under its lock counts. */
static void
job_on_leaf(htable_t *ht, uint_t entry, x86pte_t pte, const struct job *j)
{
	bool done = false;

	while (!done && PTE_ISPAGE(pte, ht->ht_level) && !is_done(pte, j)) {
		pfn_t pfn = PTE2PFN(pte, ht->ht_level);
		page_t *pp = page_numtopp_nolock(pfn);

		if (pp == NULL)
			panic("hat: no page for recorded entry 0x%llx, table %p, slot %u", (unsigned long long)pte, (void *)ht,
			    entry);
		x86_hm_enter(pp);
		pte = x86pte_get(ht, entry);
		if (PTE_ISPAGE(pte, ht->ht_level) && PTE2PFN(pte, ht->ht_level) == pfn && !is_done(pte, j)) {
			done = do_leaf(ht, entry, pte, j);
			pte = x86pte_get(ht, entry);
		}
		x86_hm_exit(pp);
	}
}

/* Entries of shared tables are their source's. */
static void
job_on_range(const char *who, hat_t *hat, uintptr_t va, size_t len, const struct job *j)
{
	uintptr_t start = va, end = hat_range_end(va, len);
	htable_t *ht = NULL;
	x86pte_t pte;

	if (!hat_range_ok(hat, va, len))
		return;
	while (va < end && (pte = htable_walk(hat, &ht, &va, end)) != 0) {
		if (!(ht->ht_flags & HTABLE_SHARED_PFN) && !is_done(pte, j)) {
			if (j->what != SYNC)
				hat_check_cut(who, ht, va, start, end);
			job_on_leaf(ht, htable_va2entry(va, ht), pte, j);
		}
		va += LEVEL_SIZE(ht->ht_level);
		if (va == 0)
			break;
	}
	htable_release(ht);
}

void
hat_sync(hat_t *hat, uintptr_t va, size_t len, uint_t flags)
{
	job_on_range("hat_sync", hat, va, len, &(struct job){ SYNC, flags });
}

void
hat_setattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr)
{
	job_on_range("hat_setattr", hat, va, len, &(struct job){ SET, attr });
}

void
hat_clrattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr)
{
	job_on_range("hat_clrattr", hat, va, len, &(struct job){ CLEAR, attr });
}

void
hat_chgattr(hat_t *hat, uintptr_t va, size_t len, uint_t attr)
{
	job_on_range("hat_chgattr", hat, va, len, &(struct job){ CHANGE, attr });
}

void
hat_chgprot(hat_t *hat, uintptr_t va, size_t len, uint_t prot)
{
	job_on_range("hat_chgprot", hat, va, len, &(struct job){ PROTECT, prot });
}
