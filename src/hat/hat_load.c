/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Loading and unloading of mappings (spec 9.2, 9.3): what stands above the tables.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <vm/page.h>

#define HAT_MAXDEPTH	16	/* nesting of entry points on one thread: mapping memory for a map is 2 or 3 */

/** Bits that an existing leaf may change when it is loaded again: permissions, caching, accessed and dirty. */
#define REMAP_BITS(level)	(PT_NX | PT_WRITABLE | PT_WRITETHRU | PT_NOCACHE | PT_REF | PT_MOD | \
	((level) == 0 ? PT_PAT_4K : PT_PAT_LARGE))

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
		return (PT_NOCACHE | (level == 0 ? PT_PAT_4K : PT_PAT_LARGE));	/* write-combining */
	}
	panic("hat: attributes 0x%x have no caching order", attr);
}

static x86pte_t
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
	bool may_move = (flags & HAT_LOAD_REMAP) && (pte & PT_SOFTWARE) >= PT_NOCONSIST &&
	    (old & PT_SOFTWARE) >= PT_NOCONSIST;
	x86pte_t may_differ = REMAP_BITS(level) | (may_move ? PT_PADDR : 0);

	if (!PTE_ISPAGE(old, level) || ((old ^ pte) & ~may_differ) != 0)
		panic("hat: mapping cannot become another: old entry 0x%llx, new entry 0x%llx, level %d",
		    (unsigned long long)old, (unsigned long long)pte, level);
}

/** Put a leaf into a held table. 0, or -1 when a link is in the way. */
static int
hati_pte_map(htable_t *ht, uint_t entry, x86pte_t pte, uint_t flags)
{
	bool locked = (flags & HAT_LOAD_LOCK) && ht->ht_hat != kas_hat;
	x86pte_t old;

	if (locked)
		atomic_inc_32(&ht->ht_lock_cnt);
	old = x86pte_set(ht, entry, pte, NULL);
	if (old == LPAGE_ERROR) {
		if (locked)
			atomic_dec_32(&ht->ht_lock_cnt);
		return (-1);
	}
	if (PTE_EQUIV(old, pte))
		return (0);
	if (PTE_ISVALID(old)) {
		check_remap(old, pte, ht->ht_level, flags);
		return (0);
	}
	atomic_inc_int(&ht->ht_valid_cnt);
	atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], 1);
	return (0);
}

static int
hati_load_common(hat_t *hat, uintptr_t va, uint_t attr, uint_t flags, level_t level, pfn_t pfn)
{
	htable_t *ht;
	int error;

	ASSERT(curthread->t_hatdepth < HAT_MAXDEPTH);
	curthread->t_hatdepth++;
	if (flags & HAT_LOAD_SHARE)
		atomic_or_32(&hat->hat_flags, HAT_SHARED);
	ht = htable_lookup(hat, va, level);
	if (ht == NULL)
		ht = htable_create(hat, va, level, NULL);
	if (va < ht->ht_vaddr || va > HTABLE_LAST_PAGE(ht))
		panic("hat: table %p of 0x%lx does not cover 0x%lx", (void *)ht, ht->ht_vaddr, va);
	error = hati_pte_map(ht, htable_va2entry(va, ht), hati_mkpte(hat, va, pfn, attr, level, flags), flags);
	htable_release(ht);
	curthread->t_hatdepth--;
	return (error);
}

/** Where a hat's user addresses end: a 32-bit process of a 64-bit kernel has four entries, for 1 GiB each. */
static uintptr_t
user_end(const hat_t *hat)
{
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		return (VLP_NUM_PTES * LEVEL_SIZE(VLP_LEVEL));
	return (userlimit);
}

/** Who maps what where: user addresses in user hats, page aligned, none in the hole. */
static void
check_range(const hat_t *hat, uintptr_t va, size_t len)
{
	ASSERT((va & PAGEOFFSET) == 0);
	ASSERT((len & PAGEOFFSET) == 0);
	ASSERT(!IN_VA_HOLE(va));
	ASSERT(hat == kas_hat || (va < user_end(hat) && len <= user_end(hat) - va));
	(void)hat, (void)va, (void)len;
}

void
hat_memload(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags)
{
	check_range(hat, va, PAGESIZE);
	attr = (attr & ~(uint_t)HAT_ORDER_MASK) | HAT_STORECACHING_OK;
	if (hati_load_common(hat, va, attr, flags, 0, pp->p_pagenum) != 0)
		panic("hat_memload: a large page is in the way of 0x%lx", va);
}

/** Largest level that alignment and length allow; a top table inside a hat takes no leaves (spec 0.1 decision 7). */
static level_t
best_level(const hat_t *hat, uintptr_t va, pfn_t pfn, size_t len)
{
	level_t l = hat == kas_hat ? mmu.max_page_level : mmu.umax_page_level;

	if ((hat->hat_flags & HAT_VLP) && l >= VLP_LEVEL)
		l = VLP_LEVEL - 1;
	while (l > 0 && (((va | (uintptr_t)pfn_to_pa(pfn)) & LEVEL_OFFSET(l)) != 0 || len < LEVEL_SIZE(l)))
		l--;
	return (l);
}

void
hat_devload(hat_t *hat, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	check_range(hat, va, len);
	while (len > 0) {
		bool memory = page_numtopp_nolock(pfn) != NULL;
		uint_t a = attr, f = flags | (memory ? 0 : HAT_LOAD_NOCONSIST);
		level_t l = best_level(hat, va, pfn, len);

		if (memory && !(attr & HAT_PLAT_NOCACHE))
			a = (attr & ~(uint_t)HAT_ORDER_MASK) | HAT_STORECACHING_OK;
		while (hati_load_common(hat, va, a, f, l, pfn) != 0)
			l--;	/* a table of smaller pages is there: use it */
		va += LEVEL_SIZE(l);
		pfn += LEVEL_SIZE(l) >> PAGESHIFT;
		len -= LEVEL_SIZE(l);
	}
}

void
hat_pte_unmap(htable_t *ht, uint_t entry, uint_t flags, x86pte_t old, void *pte_ptr)
{
	if ((flags & HAT_UNLOAD_UNLOCK) && ht->ht_hat != kas_hat) {
		ASSERT(ht->ht_lock_cnt > 0);
		atomic_dec_32(&ht->ht_lock_cnt);
	}
	while (PTE_ISVALID(old)) {
		x86pte_t expect = old;

		old = x86pte_inval(ht, entry, expect, pte_ptr);
		if (PTE_ISVALID(old) && PTE2PFN(old, ht->ht_level) == PTE2PFN(expect, ht->ht_level)) {
			atomic_dec_int(&ht->ht_valid_cnt);
			atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], -1);
			return;
		}
	}
}

void
hat_unload(hat_t *hat, uintptr_t va, size_t len, uint_t flags)
{
	uintptr_t start = va, end = va + len;
	htable_t *ht = NULL;
	x86pte_t pte;

	check_range(hat, va, len);
	if (end < va)
		end = HTABLE_WALK_TO_END;
	while (va < end && (pte = htable_walk(hat, &ht, &va, end)) != 0) {
		uintptr_t size = LEVEL_SIZE(ht->ht_level);

		if (va < start || size > end - va)
			panic("hat_unload: 0x%lx-0x%lx cuts the large page at 0x%lx", start, end - 1, va);
		hat_pte_unmap(ht, htable_va2entry(va, ht), flags, pte, NULL);
		va += size;
		if (va == 0)
			break;
	}
	htable_release(ht);
}

pfn_t
hat_getpfnum(hat_t *hat, uintptr_t va)
{
	htable_t *ht;
	uint_t entry;
	pfn_t pfn = PFN_INVALID;

	if (!khat_running || IN_VA_HOLE(va))
		return (PFN_INVALID);
	ht = htable_getpage(hat, va & PAGEMASK, &entry);
	if (ht == NULL)
		return (PFN_INVALID);
	if (PTE_ISVALID(x86pte_get(ht, entry)))
		pfn = PTE2PFN(x86pte_get(ht, entry), ht->ht_level) + ((va & LEVEL_OFFSET(ht->ht_level)) >> PAGESHIFT);
	htable_release(ht);
	return (pfn);
}
