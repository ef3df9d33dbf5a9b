/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Loading of mappings (spec 9.2): what stands above the tables.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <x86/features.h>

/** Bits that an existing leaf may change when it is loaded again: permissions, caching, accessed and dirty. */
#define REMAP_BITS(level) \
	(PT_NX | PT_WRITABLE | PT_WRITETHRU | PT_NOCACHE | PT_REF | PT_MOD | ((level) == 0 ? PT_PAT_4K : PT_PAT_LARGE))

/** Together with PT_NOCACHE; the next best thing where the CPU cannot. */
static x86pte_t
write_combining(level_t level)
{
	if (!x86_features.pat)
		return (PT_WRITETHRU);
	return (level == 0 ? PT_PAT_4K : PT_PAT_LARGE);
}

/** LOADCACHING contains UNORDERED's bit: the field is compared, not its bits (C-39). */
static x86pte_t
order_bits(uint_t attr, level_t level)
{
	uint_t order = attr & HAT_ORDER_MASK;

	if (attr & HAT_PLAT_NOCACHE)
		return (PT_NOCACHE);
	switch (order) {
	case HAT_STRICTORDER:
		return (PT_NOCACHE);
	case HAT_UNORDERED_OK:
	case HAT_STORECACHING_OK:
		return (0);
	case HAT_MERGING_OK:
	case HAT_LOADCACHING_OK:
		return (PT_NOCACHE | write_combining(level));
	}
	panic("hat: attributes 0x%x have no caching order", attr);
}

x86pte_t
hati_mkpte(hat_t *hat, uintptr_t va, pfn_t pfn, uint_t attr, level_t level, uint_t flags)
{
	x86pte_t pte = MAKEPTE(pfn, level) | order_bits(attr, level);

	if (attr & PROT_WRITE)
		pte |= PT_WRITABLE;
	if (!(attr & PROT_EXEC))
		pte |= mmu.pt_nx;
	if (flags & HAT_LOAD_NOCONSIST)
		pte |= PT_NOCONSIST | PT_REF | PT_MOD;
	else if (attr & HAT_NOSYNC)
		pte |= PT_NOSYNC | PT_REF | PT_MOD;
	if (hat != kas_hat)
		pte |= attr & PROT_USER ? PT_USER : 0;
	else if (va >= kernelbase)
		pte |= mmu.pt_global;
	return (pte);
}

/** A leaf was there already: only what a remap may change may differ. */
static void
check_remap(x86pte_t old, x86pte_t pte, level_t level, uint_t flags)
{
	bool may_move = (flags & HAT_LOAD_REMAP) && (pte & PT_SOFTWARE) >= PT_NOCONSIST && (old & PT_SOFTWARE) >= PT_NOCONSIST &&
	    PTE_ISPAGE(old, level) &&
	    (page_numtopp_nolock(PTE2PFN(old, level)) == NULL) == (page_numtopp_nolock(PTE2PFN(pte, level)) == NULL);
	x86pte_t may_differ = REMAP_BITS(level) | (may_move ? PT_PADDR : 0);

	if (!PTE_ISPAGE(old, level) || ((old ^ pte) & ~may_differ) != 0)
		panic("hat: mapping cannot become another: old entry 0x%llx, new entry 0x%llx, level %d", (unsigned long long)old,
		    (unsigned long long)pte, level);
}

/** There are n new leaves, the first in this entry. Safe after it can be used: its page is locked by whoever loads it, so nobody takes it away yet. */
static void
count_up(htable_t *ht, uint_t entry, uint_t n)
{
	for (uint_t e = entry; e < entry + n; e = ((e >> MMU_GROUP_SHIFT) + 1) << MMU_GROUP_SHIFT)
		htable_note(ht, e);
	(void)atomic_add_int(&ht->ht_valid_cnt, (int32_t)n);
	atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], (long)n);
}

int
hati_pte_map(htable_t *ht, uint_t entry, page_t *pp, x86pte_t pte, uint_t flags, void *pte_ptr)
{
	bool recorded = pp != NULL && (pte & PT_SOFTWARE) < PT_NOCONSIST;
	bool locked = (flags & HAT_LOAD_LOCK) && ht->ht_hat != kas_hat;
	hment_t *hm = NULL;
	x86pte_t old;

	if (locked)
		atomic_inc_32(&ht->ht_lock_cnt);
	if (recorded) {
		x86_hm_enter(pp);
		hm = hment_prepare(ht, entry, pp);
	}
	old = x86pte_set(ht, entry, pte, pte_ptr);
	if (old == LPAGE_ERROR && locked)
		atomic_dec_32(&ht->ht_lock_cnt);
	else if (old != LPAGE_ERROR && PTE_ISVALID(old) && !PTE_EQUIV(old, pte))
		check_remap(old, pte, ht->ht_level, flags);
	if (recorded && !PTE_ISVALID(old))
		hm = hment_assign(ht, entry, pp, hm);
	if (recorded)
		x86_hm_exit(pp);
	if (!PTE_ISVALID(old))
		count_up(ht, entry, 1);
	hment_free(hm);
	return (old == LPAGE_ERROR ? -1 : 0);
}

int
hati_load_common(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn)
{
	htable_t *ht;
	int error;

	ASSERT(curthread->t_hatdepth < HAT_MAXDEPTH);
	ASSERT(pp == NULL || pp->p_pagenum == pfn);
	curthread->t_hatdepth++;
	if (flags & HAT_LOAD_SHARE)
		atomic_or_32(&hat->hat_flags, HAT_SHARED); /* C-14: VICTIM may change at the same time */
	if (pp == NULL)
		flags |= HAT_LOAD_NOCONSIST;
	ht = htable_lookup(hat, va, level);
	if (ht == NULL)
		ht = htable_create(hat, va, level, NULL);
	if (va < ht->ht_vaddr || va > HTABLE_LAST_PAGE(ht))
		panic("hat: table %p of 0x%lx does not cover 0x%lx", (void *)ht, ht->ht_vaddr, va);
	error = hati_pte_map(ht, htable_va2entry(va, ht), pp, hati_mkpte(hat, va, pfn, attr, level, flags), flags, NULL);
	htable_release(ht);
	curthread->t_hatdepth--;
	return (error);
}

/** Memory is cached, whatever the caller thinks of order. */
static uint_t
write_back(uint_t attr)
{
	return ((attr & ~(uint_t)(HAT_ORDER_MASK | HAT_PLAT_NOCACHE)) | HAT_STORECACHING_OK);
}

void
hat_memload(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags)
{
	if (!hat_range_ok(hat, va, PAGESIZE))
		return;
	if (hati_load_common(hat, va, pp, write_back(attr), flags, 0, pp->p_pagenum) != 0)
		panic("hat_memload: a large page is in the way of 0x%lx", va);
}

/** Are these n pages adjacent, and of a size code that lets them be mapped at once? */
static bool
are_group(page_t **pps, size_t n, level_t level)
{
	if (pps[0]->p_szc < level)
		return (false);
	for (size_t i = 1; i < n; i++)
		if (pps[i]->p_pagenum != pps[0]->p_pagenum + i)
			return (false);
	return (true);
}

void
hat_memload_array(hat_t *hat, uintptr_t va, size_t len, page_t **pps, uint_t attr, uint_t flags)
{
	if (!hat_range_ok(hat, va, len))
		return;
	while (len > 0) {
		pfn_t pfn = pps[0]->p_pagenum;
		level_t l = lpage_level(hat, va, pfn, len);
		size_t size;

		while (l > 0 && !are_group(pps, LEVEL_SIZE(l) >> PAGESHIFT, l))
			l--;
		size = LEVEL_SIZE(lpage_load(hat, va, pps[0], write_back(attr), flags, l, pfn));
		va += size;
		len -= size;
		pps += size >> PAGESHIFT;
	}
}

/** The page of a frame that is to be mapped at va, NULL where there is no memory. */
static page_t *
page_to_map(uintptr_t va, pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);

	if (pp != NULL && (pp->p_state == PAGE_FREE || (pp->p_state == PAGE_USER && pp->p_selock == 0)))
		panic("hat_devload: page 0x%lx, to be mapped at 0x%lx, is %s", pfn, va,
		    pp->p_state == PAGE_FREE ? "free" : "not locked");
	return (pp);
}

/** Frames that no mapping list is to know of, into empty entries of the table that maps va. @return how many, perhaps none */
static size_t
fill_table(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	htable_t *ht = htable_create(hat, va, 0, NULL);
	uint_t entry = htable_va2entry(va, ht), n = htable_entries_before(ht, entry, va, va + len);

	n = pte_fill(x86pte_access_pagetable(ht, entry), n - entry, hati_mkpte(hat, va, pfn, attr, 0, flags));
	x86pte_release_pagetable(ht);
	if (n > 0)
		count_up(ht, entry, n);
	htable_release(ht);
	return (n);
}

/** How many frames from pfn on are the same kind of thing, memory or not, up to n. */
static size_t
same_kind(uintptr_t va, pfn_t pfn, size_t n)
{
	bool memory = page_to_map(va, pfn) != NULL;
	size_t i = MAX(page_none_run(pfn, n), (pfn_t)1);

	while (i < n && (page_to_map(va + i * PAGESIZE, pfn + i) != NULL) == memory)
		i++;
	return (i);
}

/**
 * Small pages without records: as many as the table at va takes, so that the table is found once for all of them. One that is
 * mapped already ends the run.
 * @return  bytes mapped; 0: what is here must be loaded one by one
 */
static size_t
load_run(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	size_t most = LEVEL_SIZE(1) - (va & LEVEL_OFFSET(1)), n;

	if (flags & (HAT_LOAD_LOCK | HAT_LOAD_SHARE | HAT_LOAD_REMAP))
		return (0);
	if (!(flags & HAT_LOAD_NOCONSIST) && page_numtopp_nolock(pfn) != NULL)
		return (0);
	n = same_kind(va, pfn, MIN(most, len) >> PAGESHIFT);
	if (page_numtopp_nolock(pfn) != NULL && !(attr & HAT_PLAT_NOCACHE))
		attr = write_back(attr);
	ASSERT(curthread->t_hatdepth < HAT_MAXDEPTH);
	curthread->t_hatdepth++;
	n = fill_table(hat, va, n << PAGESHIFT, pfn, attr, flags | HAT_LOAD_NOCONSIST);
	curthread->t_hatdepth--;
	return (n << PAGESHIFT);
}

/** One page of hat_devload(), as large as can be, or a run of small ones. @return its size */
static size_t
load_frames(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	page_t *pp = page_to_map(va, pfn);
	level_t l = lpage_level(hat, va, pfn, len);
	size_t size;

	if (l == 0 && len > PAGESIZE && (size = load_run(hat, va, len, pfn, attr, flags)) > 0)
		return (size);
	if (pp != NULL && !(attr & HAT_PLAT_NOCACHE))
		attr = write_back(attr);
	if (flags & HAT_LOAD_NOCONSIST)
		pp = NULL;
	if (pp != NULL)
		l = MIN(l, (level_t)pp->p_szc);
	return (LEVEL_SIZE(lpage_load(hat, va, pp, attr, flags, l, pfn)));
}

void
hat_devload(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	if (!hat_range_ok(hat, va, len))
		return;
	while (len > 0) {
		size_t size = load_frames(hat, va, len, pfn, attr, flags);

		va += size;
		pfn += size >> PAGESHIFT;
		len -= size;
	}
}
