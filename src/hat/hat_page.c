/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All mappings of one page (spec 9.4), found on its mapping list.
 *
 * Leaves of level 0 are on the page's own list, those of level 1 and 2 on that of the first page of the group that they map.
 * A list may hold leaves of several levels: the first page of a group is also a small page.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>

hment_t *
hati_page_unmap(page_t *pp, htable_t *ht, uint_t entry)
{
	hat_t *hat = ht->ht_hat;
	hment_t *hm;
	x86pte_t old;

	ASSERT(x86_hm_held(pp));
	atomic_inc_32(&hat->hat_guests); /* once the record is gone, so may be its owner, but for this */
	htable_acquire(ht);              /* the record keeps it linked until here, the hold from here on */
	old = x86pte_inval(ht, entry, 0, NULL);
	if (!PTE_ISVALID(old) || PTE2PFN(old, ht->ht_level) != pp->p_pagenum)
		panic("hati_page_unmap: entry 0x%llx does not map page 0x%lx: table %p, slot %u", (unsigned long long)old,
		    pp->p_pagenum, (void *)ht, entry);
	atomic_dec_int(&ht->ht_valid_cnt);
	atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], -1);
	if ((old & PT_SOFTWARE) < PT_NOSYNC)
		hati_sync_pte(old, ht->ht_level);
	hm = hment_remove(pp, ht, entry);
	x86_hm_exit(pp);
	htable_release(ht);
	atomic_dec_32(&hat->hat_guests);
	return (hm);
}

/** The next mapping by a leaf of this level, `prev` as for hment_walk(). List locked. */
static hment_t *
next_of_level(page_t *pp, level_t level, htable_t **htp, uint_t *entryp, hment_t *prev)
{
	hment_t *hm = hment_walk(pp, htp, entryp, prev);

	while (hm != NULL && (*htp)->ht_level != level)
		hm = hment_walk(pp, htp, entryp, hm);
	return (hm);
}

/** Unmap all leaves of one level that contain the page. The list is unlocked after each one. */
static void
unload_level(page_t *pp, level_t level)
{
	page_t *leader = page_leader(pp, level);
	htable_t *ht = NULL;
	uint_t entry = 0;

	for (;;) {
		x86_hm_enter(leader);
		if (next_of_level(leader, level, &ht, &entry, NULL) == NULL)
			break;
		hment_free(hati_page_unmap(leader, ht, entry));
	}
	x86_hm_exit(leader);
}

int
hat_pageunload(page_t *pp, uint_t force)
{
	(void)force;
	if (!PAGE_EXCL(pp)) {
		HAT_MISUSE("E7: hat_pageunload: page 0x%lx is not exclusive-locked", pp->p_pagenum);
		return (1);
	}
	for (level_t l = 0; l <= (level_t)pp->p_szc; l++)
		unload_level(pp, l);
	/* a range unload may have taken it off its list and not have flushed yet: then nobody may write to it any more either */
	if (hat_unflushed != 0)
		hat_tlb_inval(kas_hat, DEMAP_ALL_ADDR);
	return (0);
}

/**
 * No large mapping contains pp any more. Its own group of each size falls apart; the other groups that were part of the largest
 * one stay what they are, one size smaller. From the last page down, so that a group never lacks its first page.
 */
static void
lower_codes(page_t *pp, level_t szc)
{
	page_t *root = page_leader(pp, szc), *own = page_leader(pp, szc - 1);
	pfn_t n = LEVEL_SIZE(szc) >> PAGESHIFT, small = LEVEL_SIZE(szc - 1) >> PAGESHIFT;

	x86_hm_enter(root);
	while (n-- > 0) {
		page_t *p = page_numtopp_nolock(root->p_pagenum + n);

		if (p != NULL)
			p->p_szc = p >= own && p < own + small && szc > 1 ? 0 : (uint8_t)(szc - 1);
	}
	x86_hm_exit(root);
}

void
hat_page_demote(page_t *pp)
{
	level_t szc = (level_t)pp->p_szc;

	if (!PAGE_EXCL(pp)) {
		HAT_MISUSE("E5: hat_page_demote: page 0x%lx is not exclusive-locked", pp->p_pagenum);
		return;
	}
	if (szc == 0)
		return;
	for (level_t l = 1; l <= szc; l++)
		unload_level(pp, l);
	lower_codes(pp, szc);
}

/* ------------------------------------------------------------------ accessed and dirty */

/** Collect from one leaf, until it holds still. List locked. */
static void
sync_one(htable_t *ht, uint_t entry, uint_t flags)
{
	x86pte_t pte = x86pte_get(ht, entry);

	while ((pte & PT_SOFTWARE) < PT_NOSYNC && (pte & (PT_REF | PT_MOD))) {
		if (!(flags & HAT_SYNC_ZERORM)) {
			hati_sync_pte(pte, ht->ht_level);
			return;
		}
		if (hati_update_pte(ht, entry, pte, pte & ~(PT_REF | PT_MOD)))
			return;
		pte = x86pte_get(ht, entry);
	}
}

/** Is what the page says enough for the caller? */
static bool
is_enough(const page_t *pp, uint_t flags)
{
	return (((flags & HAT_SYNC_STOPON_REF) && (pp->p_nrm & P_REF)) || ((flags & HAT_SYNC_STOPON_MOD) && (pp->p_nrm & P_MOD)));
}

static void
sync_level(page_t *pp, level_t level, uint_t flags)
{
	page_t *leader = page_leader(pp, level);
	htable_t *ht = NULL;
	uint_t entry = 0;

	x86_hm_enter(leader);
	for (hment_t *hm = next_of_level(leader, level, &ht, &entry, NULL); hm != NULL && !is_enough(pp, flags);
	     hm = next_of_level(leader, level, &ht, &entry, hm))
		sync_one(ht, entry, flags);
	x86_hm_exit(leader);
}

uint_t
hat_pagesync(page_t *pp, uint_t flags)
{
	if ((flags & HAT_SYNC_STOPON_SHARED) && hat_page_checkshare(pp, HAT_SHARED_MANY))
		atomic_or_8(&pp->p_nrm, P_REF);
	else
		for (level_t l = 0; l <= (level_t)pp->p_szc && !is_enough(pp, flags); l++)
			sync_level(pp, l, flags);
	return (pp->p_nrm & (P_REF | P_MOD));
}

/* ------------------------------------------------------------------ bits of the page itself */

void
hat_page_setattr(page_t *pp, uint_t bits)
{
	atomic_or_8(&pp->p_nrm, (uint8_t)bits);
}

/** Take write permission and the dirty bit from one leaf, until it holds still. List locked. */
static void
clrwrt_one(htable_t *ht, uint_t entry)
{
	for (;;) {
		x86pte_t pte = x86pte_get(ht, entry);
		x86pte_t new = pte & ~PT_WRITABLE;

		if ((pte & PT_SOFTWARE) < PT_NOSYNC) /* others keep it for ever */
			new &= ~PT_MOD;
		if (new == pte || hati_update_pte(ht, entry, pte, new))
			return;
	}
}

/** The next write to the page shall fault, so that its owner puts it back where dirty pages are. */
static void
hati_page_clrwrt(page_t *pp)
{
	htable_t *ht = NULL;
	uint_t entry = 0;

	for (level_t l = 0; l <= (level_t)pp->p_szc; l++) {
		page_t *leader = page_leader(pp, l);
		hment_t *hm;

		x86_hm_enter(leader);
		for (hm = next_of_level(leader, l, &ht, &entry, NULL); hm != NULL; hm = next_of_level(leader, l, &ht, &entry, hm))
			clrwrt_one(ht, entry);
		x86_hm_exit(leader);
	}
}

void
hat_page_clrattr(page_t *pp, uint_t bits)
{
	if ((bits & P_MOD) && (pp->p_flags & PAGE_SORTED))
		hati_page_clrwrt(pp);
	atomic_and_8(&pp->p_nrm, (uint8_t)~bits);
}

uint_t
hat_page_getattr(page_t *pp, uint_t bits)
{
	return (pp->p_nrm & bits);
}

uint_t
hat_page_getshare(page_t *pp)
{
	return (hment_mapcnt(pp));
}

bool
hat_page_checkshare(page_t *pp, uint_t n)
{
	return (hment_mapcnt(pp) > n);
}
