/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Unloading of mappings (spec 8.6, 9.3), and what locks them.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>

#define MAX_RANGES 8 /**< ranges unmapped before the callback hears of them */

static void
unlock_one(htable_t *ht, uintptr_t va)
{
	if (ht->ht_lock_cnt == 0)
		HAT_MISUSE("N6: 0x%lx is unlocked, but nothing in table %p is locked", va, (void *)ht);
	else
		atomic_dec_32(&ht->ht_lock_cnt);
}

/** The page on whose list this leaf is; NULL: it is not recorded. */
static page_t *
page_of(const htable_t *ht, uint_t entry, x86pte_t pte)
{
	page_t *pp;

	if ((pte & PT_SOFTWARE) >= PT_NOCONSIST)
		return (NULL);
	pp = page_numtopp_nolock(PTE2PFN(pte, ht->ht_level));
	if (pp == NULL)
		panic(
		    "hat_pte_unmap: no page for entry 0x%llx, table %p, slot %u", (unsigned long long)pte, (const void *)ht, entry);
	return (pp);
}

/** The leaf is gone: so are its record and its share of the counts. Its list, if any, is locked on entry. */
static void
finish_unmap(htable_t *ht, uint_t entry, page_t *pp, x86pte_t old, uint_t flags)
{
	if (pp != NULL) {
		hment_t *hm;

		if (!(flags & HAT_UNLOAD_NOSYNC) && (old & PT_SOFTWARE) < PT_NOSYNC)
			hati_sync_pte(old, ht->ht_level);
		hm = hment_remove(pp, ht, entry);
		x86_hm_exit(pp);
		hment_free(hm);
	}
	atomic_dec_int(&ht->ht_valid_cnt);
	atomic_add_long(&ht->ht_hat->hat_pages_mapped[ht->ht_level], -1);
}

/** Ranges that are unmapped and not yet reported: adjacent pages of one size. And what has been cleared in one table without a flush. */
struct batch {
	hat_callback_t *cb;
	uintptr_t start, end;   /**< the whole range */
	uint_t unflushed;       /**< entries that a CPU may remember; 2: any number */
	uintptr_t unflushed_va; /**< where it is one */
	uint_t n;
	struct {
		uintptr_t start, bytes;
		level_t level;
	} r[MAX_RANGES];
};

/** One entry is clear. An entry that was never used is remembered by nobody, one of a table that is cut off no longer. */
static void
must_flush(struct batch *b, const htable_t *ht, x86pte_t old, uintptr_t va)
{
	if (!(old & (PT_REF | PT_MOD)) || (ht->ht_flags & HTABLE_CUT))
		return;
	b->unflushed = MIN(b->unflushed + 1, 2u);
	b->unflushed_va = va;
}

static void
batch_flush(hat_t *hat, struct batch *b)
{
	if (b->unflushed > 0)
		hat_tlb_inval(hat, b->unflushed == 1 ? b->unflushed_va : DEMAP_ALL_ADDR);
	b->unflushed = 0;
}

/** Clear the entry if it still is for that frame; flushed at once, or, with a batch, later. */
static x86pte_t
clear_leaf(htable_t *ht, uint_t entry, x86pte_t expect, void *pte_ptr, struct batch *b)
{
	x86pte_t old;

	if (b == NULL)
		return (x86pte_inval(ht, entry, expect, pte_ptr));
	old = pte_take(x86pte_access_pagetable(ht, entry), expect);
	x86pte_release_pagetable(ht);
	if (((old ^ expect) & PT_PADDR) == 0)
		must_flush(b, ht, old, htable_e2va(ht, entry));
	return (old);
}

static void
unmap_leaf(htable_t *ht, uint_t entry, uint_t flags, x86pte_t old, void *pte_ptr, struct batch *b)
{
	if ((flags & HAT_UNLOAD_UNLOCK) && ht->ht_hat != kas_hat)
		unlock_one(ht, htable_e2va(ht, entry));
	while (PTE_ISVALID(old)) {
		x86pte_t expect = old;
		page_t *pp = page_of(ht, entry, expect);

		if (pp != NULL)
			x86_hm_enter(pp);
		old = clear_leaf(ht, entry, expect, pte_ptr, b);
		if (PTE_ISVALID(old) && PTE2PFN(old, ht->ht_level) == PTE2PFN(expect, ht->ht_level)) {
			finish_unmap(ht, entry, pp, old, flags);
			return;
		}
		if (pp != NULL)
			x86_hm_exit(pp); /* somebody has put another page there: its list is another one */
	}
}

void
hat_pte_unmap(htable_t *ht, uint_t entry, uint_t flags, x86pte_t old, void *pte_ptr)
{
	unmap_leaf(ht, entry, flags, old, pte_ptr, NULL);
}

/* ------------------------------------------------------------------ ranges */

static void
batch_report(hat_t *hat, struct batch *b)
{
	batch_flush(hat, b); /* who hears of a page may use it again */
	for (uint_t i = 0; i < b->n; i++) {
		b->cb->hcb_start = b->r[i].start;
		b->cb->hcb_end = b->r[i].start + b->r[i].bytes; /* C-35: bytes, not pages shifted by a size */
		b->cb->hcb_func(b->cb);
	}
	b->n = 0;
}

static void
batch_add(hat_t *hat, struct batch *b, uintptr_t va, level_t level)
{
	uint_t last = b->n - 1;

	if (b->cb == NULL)
		return;
	if (b->n > 0 && b->r[last].level == level && b->r[last].start + b->r[last].bytes == va) {
		b->r[last].bytes += LEVEL_SIZE(level);
		return;
	}
	if (b->n == MAX_RANGES)
		batch_report(hat, b);
	b->r[b->n].start = va;
	b->r[b->n].bytes = LEVEL_SIZE(level);
	b->r[b->n++].level = level;
}

/** Leaves that no list knows, callers do not ask for and nobody has locked: all in one visit to the table. */
static void
sweep_run(htable_t *ht, uint_t entry, uint_t end, struct batch *b)
{
	x86pte_t seen = htable_sweep(ht, entry, end);

	if ((seen & (PT_REF | PT_MOD)) && !(ht->ht_flags & HTABLE_CUT))
		b->unflushed = 2; /* which ones is not known */
}

/**
 * Does the whole table go? Then it is cut off first: one flush serves its pages and its link. Not where a callback is to hear of
 * pages while it is: it may fault on them.
 */
static bool
cut_off(htable_t *ht, const struct batch *b)
{
	if (b->cb != NULL || b->start > ht->ht_vaddr || b->end - ht->ht_vaddr < LEVEL_SIZE(1))
		return (false);
	return (ht->ht_valid_cnt > 1 && htable_try_cut(ht));
}

/**
 * All small pages of the range that one table maps from va on, with one flush, before the table is let go (C-17). Meanwhile
 * hat_pageunload() knows that there are pages which look unmapped and may still be written to.
 * @param htp  the table, held; NULL afterwards if it went
 * @return     where to go on
 */
static uintptr_t
unload_table(htable_t **htp, uintptr_t va, uint_t flags, struct batch *b)
{
	htable_t *ht = *htp;
	uint_t entry = htable_va2entry(va, ht), last = htable_entries_before(ht, entry, va, b->end);
	uintptr_t next = va + (uintptr_t)(last - entry) * PAGESIZE;
	bool cut = cut_off(ht, b);
	x86pte_t pte;

	atomic_inc_32(&hat_unflushed);
	if (b->cb == NULL && !(flags & HAT_UNLOAD_UNLOCK))
		sweep_run(ht, entry, last, b);
	for (; ht->ht_valid_cnt > 0 && (entry = htable_next_valid(ht, entry, last, &pte)) < last; entry++) {
		unmap_leaf(ht, entry, flags, pte, NULL, b);
		batch_add(ht->ht_hat, b, htable_e2va(ht, entry), 0);
	}
	batch_flush(ht->ht_hat, b);
	atomic_dec_32(&hat_unflushed);
	if (cut) {
		htable_cut_done(ht);
		*htp = NULL;
	}
	return (next);
}

/** A leaf of the range. Those seen through a shared table are not this hat's to unmap: hat_unshare() comes first. */
static void
unload_leaf(htable_t *ht, uintptr_t va, x86pte_t pte, uint_t flags, struct batch *b)
{
	if (ht->ht_flags & HTABLE_SHARED_PFN) {
		HAT_MISUSE("N2: 0x%lx is unloaded, but table %p is shared", va, (void *)ht);
		return;
	}
	hat_pte_unmap(ht, htable_va2entry(va, ht), flags, pte, NULL);
	batch_add(ht->ht_hat, b, va, ht->ht_level);
}

/*
 * Kernel addresses go one by one: their translations are global, so that no flush but that of each address removes them.
 */
static bool
by_table(const htable_t *ht)
{
	return (ht->ht_level == 0 && ht->ht_hat != kas_hat && !(ht->ht_flags & HTABLE_SHARED_PFN));
}

/** The most frequent case: one small page. False: it is not one. */
static bool
unload_one(hat_t *hat, uintptr_t va, uint_t flags)
{
	uint_t entry;
	x86pte_t pte;
	htable_t *ht = htable_getpte(hat, va, &entry, &pte, 0);

	if (ht == NULL)
		return (false);
	if (ht->ht_flags & HTABLE_SHARED_PFN)
		HAT_MISUSE("N2: 0x%lx is unloaded, but table %p is shared", va, (void *)ht);
	else if (PTE_ISVALID(pte))
		hat_pte_unmap(ht, entry, flags, pte, NULL);
	htable_release(ht);
	return (true);
}

void
hat_unload_callback(hat_t *hat, uintptr_t va, size_t len, uint_t flags, hat_callback_t *cb)
{
	uintptr_t start = va, end = hat_range_end(va, len);
	struct batch b = { .cb = cb, .start = start, .end = end };
	htable_t *ht = NULL;
	x86pte_t pte;

	if (!hat_range_ok(hat, va, len))
		return;
	if (cb == NULL && len == PAGESIZE && unload_one(hat, va, flags))
		return; /* anything else, the inside of a large page for instance, is a range like others (C-43) */
	while (va < end && (pte = htable_walk(hat, &ht, &va, end)) != 0) {
		hat_check_cut("hat_unload", ht, va, start, end);
		if (by_table(ht)) {
			va = unload_table(&ht, va, flags, &b);
			continue;
		}
		unload_leaf(ht, va, pte, flags, &b);
		va += LEVEL_SIZE(ht->ht_level);
		if (va == 0)
			break;
	}
	htable_release(ht);
	batch_report(hat, &b);
}

void
hat_unload(hat_t *hat, uintptr_t va, size_t len, uint_t flags)
{
	hat_unload_callback(hat, va, len, flags, NULL);
}

void
hat_unlock(hat_t *hat, uintptr_t va, size_t len)
{
	uintptr_t end = hat_range_end(va, len);
	htable_t *ht = NULL;

	if (hat == kas_hat || !hat_range_ok(hat, va, len))
		return;
	while (va < end && htable_walk(hat, &ht, &va, end) != 0) {
		if (!(ht->ht_flags & HTABLE_SHARED_PFN))
			unlock_one(ht, va);
		va += LEVEL_SIZE(ht->ht_level);
	}
	htable_release(ht);
}

/** Where the next page that may go can be: behind a table with locks, or one that is shared. */
static uintptr_t
swap_leaf(htable_t *ht, uintptr_t va, x86pte_t pte)
{
	level_t l = ht->ht_level;

	if ((ht->ht_flags & HTABLE_SHARED_PFN) || (l == 0 && ht->ht_lock_cnt > 0))
		return (NEXT_ENTRY_VA(va, l + 1));
	if (ht->ht_lock_cnt == 0)
		hat_pte_unmap(ht, htable_va2entry(va, ht), HAT_UNLOAD, pte, NULL);
	return (NEXT_ENTRY_VA(va, l));
}

void
hat_swapout(hat_t *hat)
{
	uintptr_t va = 0, end = hat_user_end(hat);
	htable_t *ht = NULL;
	x86pte_t pte;

	ASSERT(!(hat->hat_flags & HAT_FREEING));
	while (va < end && (pte = htable_walk(hat, &ht, &va, end)) != 0) {
		uintptr_t next = swap_leaf(ht, va, pte);

		if (next <= va)
			break;
		va = next;
	}
	htable_release(ht);
	htable_purge_hat(hat);
}
