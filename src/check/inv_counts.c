/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariants N1-N16: numbers that are kept, against what they count.
 */
#include <check/invariants.h>
#include <check/inv_impl.h>

#define INV_FAR (1 << 24) /**< "far from overflow": more holds or entries than there can be */

static bool
shared(const inv_table_t *t)
{
	return ((t->it_ht.ht_flags & HTABLE_SHARED_PFN) != 0);
}

static int64_t
permanent(const inv_table_t *t)
{
	if (t->it_hat->ih_kernel)
		return (t->it_ht.ht_permanent);
	return (inv_is_top(t) || inv_range_table(t));
}

/* Private slots are left out of the entries; those of hat_mempte_setup() are in the count, page windows are not. */
void
inv_N1(inv_table_t *t)
{
	uint_t want = t->it_valid + inv_counted(t);

	if (!shared(t) && t->it_readable && t->it_ht.ht_valid_cnt != (int32_t)want)
		inv_report(NULL, t, want, (uint32_t)t->it_ht.ht_valid_cnt, "ht_valid_cnt is not the number of valid entries");
}

void
inv_N2(inv_table_t *t)
{
	int32_t n = t->it_ht.ht_valid_cnt;

	if (shared(t) && (n <= 0 || n > (int32_t)inv_nentries(t)))
		inv_report(NULL, t, inv_nentries(t), (uint32_t)n, "a shared table counts impossibly many entries");
}

void
inv_N3(inv_table_t *t)
{
	int64_t want = (int64_t)t->it_children + t->it_sharers + permanent(t);

	if (t->it_ht.ht_busy != want)
		inv_report(NULL, t, want, (uint32_t)t->it_ht.ht_busy, "ht_busy is not %u children + %u sharers + %d for ever",
		    t->it_children, t->it_sharers, (int)permanent(t));
}

/* Which tables were adopted is not written anywhere; those over the page windows certainly were. */
void
inv_N4(inv_table_t *t)
{
	if (t->it_hat->ih_kernel && inv_last(t) == UINTPTR_MAX && t->it_ht.ht_vaddr <= mmu.pwin_base && permanent(t) < 1)
		inv_report(NULL, t, 1, t->it_ht.ht_permanent, "an adopted table at the end of memory has no permanent hold");
}

void
inv_N5(inv_table_t *t)
{
	if (t->it_ht.ht_busy < 0 || t->it_ht.ht_busy > INV_FAR)
		inv_report(NULL, t, 0, (uint32_t)t->it_ht.ht_busy, "ht_busy is impossible");
	if (t->it_ht.ht_valid_cnt < 0 || t->it_ht.ht_valid_cnt > INV_FAR)
		inv_report(NULL, t, 0, (uint32_t)t->it_ht.ht_valid_cnt, "ht_valid_cnt is impossible");
}

void
inv_N6(inv_table_t *t)
{
	bool no_leaves = t->it_valid == t->it_links;

	if (t->it_ht.ht_lock_cnt != 0 && (t->it_hat->ih_kernel || shared(t) || no_leaves))
		inv_report(NULL, t, 0, t->it_ht.ht_lock_cnt, "ht_lock_cnt in a table that cannot have locks");
}

void
inv_N7(inv_table_t *t)
{
	if (t->it_readable && !shared(t) && t->it_children != t->it_links)
		inv_report(NULL, t, t->it_links, t->it_children, "children are not as many as links");
}

void
inv_N8(inv_table_t *t)
{
	bool high = t->it_ht.ht_level >= mmu.max_page_level;
	bool low_kernel = t->it_hat->ih_kernel && t->it_ht.ht_vaddr < kernelbase;

	if (t->it_ht.ht_valid_cnt != 0 || permanent(t) > 0 || t->it_sharers > 0)
		return;
	if (!(high && !low_kernel) && !(t->it_hat->ih_hat.hat_flags & HAT_FREEING))
		inv_report(NULL, t, 1, 0, "this table is empty and should be gone");
}

void
inv_N9(inv_hat_t *h)
{
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		if (h->ih_hat.hat_pages_mapped[l] != h->ih_leaves[l])
			inv_report(h, NULL, h->ih_leaves[l], h->ih_hat.hat_pages_mapped[l],
			    "hat_pages_mapped[%d] is not the number of leaves", l);
}

void
inv_N10(inv_hat_t *h)
{
	uint64_t pages = 0;

	inv_for_linked(t) if (t->it_hat == h && shared(t)) pages += (uint64_t)t->it_ht.ht_valid_cnt
	    << (LEVEL_SHIFT(t->it_ht.ht_level & 3) - PAGESHIFT);
	if (!h->ih_kernel && h->ih_hat.hat_ism_pgcnt != pages)
		inv_report(h, NULL, pages, h->ih_hat.hat_ism_pgcnt, "hat_ism_pgcnt");
}

void
inv_N12(void)
{
	if (htable_reserve_cnt != inv.nreserve)
		inv_report(NULL, NULL, inv.nreserve, htable_reserve_cnt, "htable_reserve_cnt is not the length of the reserve");
}

static long
frames_found(void)
{
	long n = 0;

	inv_for_tables(t) if (!(t->it_ht.ht_flags & (HTABLE_VLP | HTABLE_SHARED_PFN))) n++;
	return (n);
}

/* Statistics are kept in DEBUG kernels only, where at least the adopted tables show up in them. */
void
inv_N13(void)
{
	long want = frames_found() + inv.lost_frames;
	long stat = (long)(hatstat.hs_ptable_allocs + hatstat.hs_adopted - hatstat.hs_ptable_frees);

	if (active_ptables != (uint32_t)want)
		inv_report(NULL, NULL, want, active_ptables, "active_ptables is not the number of frames that tables own");
	if (hatstat.hs_adopted != 0 && active_ptables != (uint32_t)stat)
		inv_report(NULL, NULL, stat, active_ptables, "active_ptables disagrees with the statistics");
}

static long
objects_found(void)
{
	return ((long)inv.ntables + inv.nreserve);
}

void
inv_N14(void)
{
	long want = objects_found() + inv.lost_objects, have = kmem_cache_inuse(htable_cache);

	if (have != want)
		inv_report(
		    NULL, NULL, want, have, "objects taken from the cache are not those that are linked, cached or reserved");
}

static long
sharing_stat(void)
{
	return ((long)(hatstat.hs_htable_shared - hatstat.hs_htable_unshared));
}

static long
shared_found(void)
{
	long n = 0;

	inv_for_linked(t) n += shared(t);
	return (n);
}

void
inv_N15(void)
{
	long want = shared_found() + inv.lost_shared;

	if (hatstat.hs_adopted != 0 && sharing_stat() != want)
		inv_report(NULL, NULL, want, sharing_stat(), "statistics of sharing");
}

/* Whoever looks for what is mapped passes over groups without a bit. A shared table is its source's, and has none. */
void
inv_N16(inv_table_t *t, uint_t i, x86pte_t e)
{
	if (PTE_ISVALID(e) && !shared(t) && !(t->it_ht.ht_groups & (1u << (i >> MMU_GROUP_SHIFT))))
		inv_report(NULL, t, t->it_ht.ht_groups | 1u << (i >> MMU_GROUP_SHIFT), t->it_ht.ht_groups,
		    "slot %u is valid, but ht_groups has no bit for it", i);
}

bool
invariants_abandon(void)
{
	if (!inv_collect())
		return (false);
	inv_abandon_pages();
	inv.lost_frames = (long)active_ptables - frames_found();
	inv.lost_shared = sharing_stat() - shared_found();
	inv.lost_objects = (long)kmem_cache_inuse(htable_cache) - objects_found();
	return (inv.lost_frames >= 0 && inv.lost_objects >= 0);
}
