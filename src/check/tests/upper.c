/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Scenarios of the upper interface (spec section 9): each ends with all counts where they began.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <memmap.h>

#define VA     ((uintptr_t)0x40000000)
#define RU     (PROT_READ | PROT_USER)
#define RWU    (RU | PROT_WRITE)
#define LARGE  (LEVEL_SIZE(1))
#define NLARGE ((uint_t)(LARGE >> PAGESHIFT))

/* ------------------------------------------------------------------ pages and counts */

static page_t *
new_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page");
	return (pp);
}

static page_t *
new_group(void)
{
	page_t *pp = page_get_large(PAGE_USER, NLARGE);

	check_true(pp != NULL, "no large page");
	check_eq(pp->p_szc, 1, "p_szc of a large page");
	return (pp);
}

static void
free_group(page_t *pp)
{
	for (uint_t i = 0; i < NLARGE; i++)
		page_free(pp + i, 0);
}

/** What must come back to where it was: pages and records. Tables may be kept (spec 4.5), so pages include cached ones. */
struct start {
	ulong_t free;
	ulong_t tables;
	size_t records;
};

static size_t
records_in_use(void)
{
	return (kmem_cache_inuse(hment_cache) - hment_reserve_cnt);
}

static struct start
start(void)
{
	return ((struct start){ freemem, active_ptables, records_in_use() });
}

static void
look_at_end(const hat_t *hat, const struct start *s)
{
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		check_eq(hat->hat_pages_mapped[l], 0, "hat_pages_mapped");
	check_eq(hat->hat_ism_pgcnt, 0, "hat_ism_pgcnt");
	check_eq(records_in_use(), s->records, "records in use");
	check_true(freemem + active_ptables <= s->free + s->tables, "more memory than before");
}

/** The entry over va, whatever it is: 0 when there is no table. */
static x86pte_t
entry_at(hat_t *hat, uintptr_t va)
{
	x86pte_t pte = 0;

	htable_release(htable_getpte(hat, va, NULL, &pte, mmu.max_page_level));
	return (pte);
}

static int32_t
locks_at(hat_t *hat, uintptr_t va)
{
	htable_t *ht = htable_lookup(hat, va, 0);
	int32_t n = ht != NULL ? (int32_t)ht->ht_lock_cnt : -1;

	htable_release(ht);
	return (n);
}

/** Give back the hold that a walk had when it panicked. */
static void
drop_hold(hat_t *hat, uintptr_t va, level_t level)
{
	htable_t *ht = htable_lookup(hat, va, level);

	htable_release(ht);
	htable_release(ht);
}

static void
touch(hat_t *hat, uintptr_t va, bool write)
{
	uint32_t word = 0x68617421;

	hat_setup(hat);
	check_true(write ? poke((void *)va, &word, sizeof(word)) : peek((void *)va, &word, sizeof(word)), "0x%lx cannot be %s", va,
	    write ? "written" : "read");
	hat_setup(NULL);
}

static bool
can_write(hat_t *hat, uintptr_t va)
{
	uint32_t word = 1;
	bool ok;

	hat_setup(hat);
	ok = poke((void *)va, &word, sizeof(word));
	hat_setup(NULL);
	return (ok);
}

static void
leave(hat_t *hat)
{
	hat_free_start(hat);
	hat_free_end(hat);
}

/* ------------------------------------------------------------------ loading and unloading */

CHECK(upper_sizes, "upper-sizes", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *small = new_page(), *large = new_group();
	uintptr_t at = VA + 4 * LARGE;

	hat_memload(hat, VA, small, RWU, HAT_LOAD);
	hat_devload(hat, at, LARGE, large->p_pagenum, RWU, HAT_LOAD);
	hat_memload(hat, at + LARGE, small, RU, HAT_LOAD);
	check_eq(hat_getpagesize(hat, at + 5 * PAGESIZE), LARGE, "size of the large page");
	check_eq(hat_getpfnum(hat, at + 5 * PAGESIZE), large->p_pagenum + 5, "frame inside the large page");
	check_eq(hat_getpagesize(hat, VA), PAGESIZE, "size of the small page");
	check_eq(hat_get_mapped_size(hat), LARGE + 2 * PAGESIZE, "bytes mapped");
	check_eq(hat_page_getshare(small), 2, "mappings of the small page");
	check_eq(hat_page_getshare(large + 7), 1, "mappings of a page of the group");
	check_eq(hat_probe(hat, VA) + hat_probe(hat, at + LARGE - 1) + hat_probe(hat, VA + PAGESIZE), 2, "pages that are there");
	check_eq(hat_getpagesize(hat, VA + PAGESIZE), -1, "size of nothing");
	hat_unload(hat, VA, at + 2 * LARGE - VA, HAT_UNLOAD);
	hat_unload(hat, VA, 16 * LARGE, HAT_UNLOAD); /* of nothing */
	look_at_end(hat, &s);
	page_free(small, 0);
	free_group(large);
}

/* A device beyond memory: nothing of it is touched. */
CHECK(upper_huge, "upper-huge", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	pfn_t pfn = (pfn_t)1 << (30 - PAGESHIFT);
	level_t l = lpage_level(hat, VA, pfn, LEVEL_SIZE(mmu.umax_page_level));

	hat_devload(hat, VA, LEVEL_SIZE(l), pfn, RU | HAT_STRICTORDER, HAT_LOAD);
	check_eq(hat_getpagesize(hat, VA), LEVEL_SIZE(l), "size of the largest page");
	check_eq(hat->hat_pages_mapped[l], 1, "leaves of that level");
	check_eq(page_numtopp_nolock(pfn) != NULL, false, "memory at 1 GiB");
	check_eq(entry_at(hat, VA) & PT_SOFTWARE, PT_NOCONSIST, "software bits of a leaf without a page");
	hat_unload(hat, VA, LEVEL_SIZE(l), HAT_UNLOAD);
	look_at_end(hat, &s);
}

static uint_t told;
static uintptr_t told_start[16], told_end[16];

static void
tell(hat_callback_t *cb)
{
	check_true(told < NELEM(told_start), "too many ranges");
	told_start[told] = cb->hcb_start;
	told_end[told++] = cb->hcb_end;
	check_eq(hat_probe(cb->hcb_arg, cb->hcb_start), 0, "a page that is reported and still there");
}

CHECK(upper_callback, "upper-callback", NULL, 0, 0, NULL, 0)
{
	hat_callback_t cb = { .hcb_func = tell, .hcb_arg = hat };
	struct start s = start();
	page_t *pp = new_page(), *large = new_group();

	told = 0;
	for (uint_t i = 0; i < 11; i++) {
		hat_memload(hat, VA + 2 * i * PAGESIZE, pp, RU, HAT_LOAD);
		hat_memload(hat, VA + (2 * i + 1) * PAGESIZE, pp, RU, i == 3 ? HAT_LOAD_NOCONSIST : HAT_LOAD);
		hat_unload(hat, VA + (2 * i + (i % 2)) * PAGESIZE, PAGESIZE, HAT_UNLOAD);
	}
	hat_devload(hat, VA + LARGE, LARGE, large->p_pagenum, RU, HAT_LOAD);
	hat_unload_callback(hat, VA, 2 * LARGE, HAT_UNLOAD, &cb);
	check_eq(told, 7, "ranges"); /* 1-2, 5-6, 9-10, 13-14, 17-18, 21, and the large page */
	check_eq(told_start[0], VA + PAGESIZE, "start of the first range");
	check_eq(told_end[0], VA + 3 * PAGESIZE, "end of the first range");
	check_eq(told_start[6], VA + LARGE, "start of the large page");
	check_eq(told_end[6], VA + 2 * LARGE, "end of the large page");
	told = 0;
	for (uint_t i = 0; i < 11; i++)
		hat_memload(hat, VA + 2 * i * PAGESIZE, pp, RU, HAT_LOAD);
	hat_unload_callback(hat, VA, LARGE, HAT_UNLOAD, &cb);
	check_eq(told, 11, "ranges, more than a batch");
	look_at_end(hat, &s);
	page_free(pp, 0);
	free_group(large);
}

static void
unload_inside(void *hat)
{
	hat_unload(hat, VA + PAGESIZE, PAGESIZE, HAT_UNLOAD);
}

static void
unload_across(void *hat)
{
	hat_unload(hat, VA + PAGESIZE, 2 * PAGESIZE, HAT_UNLOAD);
}

static void
protect_inside(void *hat)
{
	hat_chgprot(hat, VA + PAGESIZE, PAGESIZE, RU);
}

static void
expect_cut(hat_t *hat, void (*fn)(void *))
{
	char text[160];

	check_true(check_panics(fn, hat, text, sizeof(text)), "a large page was cut");
	check_note("the panic: %s", text);
	drop_hold(hat, VA, 1);
}

CHECK(upper_cut, "upper-cut", NULL, 0, 0, NULL, 0)
{
	page_t *large = new_group();

	hat_devload(hat, VA, LARGE, large->p_pagenum, RWU, HAT_LOAD);
	expect_cut(hat, unload_inside);
	expect_cut(hat, unload_across);
	expect_cut(hat, protect_inside);
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
	free_group(large);
}

static page_t *array_pages[2 * 1024 + 2];

CHECK(upper_array, "upper-array", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *large = new_group(), *a = new_page(), *b = new_page();
	uint_t n = 0;
	htable_t *ht;

	array_pages[n++] = a;
	for (uint_t i = 0; i < NLARGE; i++)
		array_pages[n++] = large + i;
	array_pages[n++] = b;
	hat_memload_array(hat, VA - PAGESIZE, n * PAGESIZE, array_pages, RWU, HAT_LOAD);
	check_eq(hat->hat_pages_mapped[0], 2, "small pages");
	check_eq(hat->hat_pages_mapped[1], 1, "large pages");
	hat_unload(hat, VA - PAGESIZE, n * PAGESIZE, HAT_UNLOAD);
	/* a table in the way: one level lower, the same pages */
	ht = htable_create(hat, VA, 0, NULL);
	hat_memload_array(hat, VA - PAGESIZE, n * PAGESIZE, array_pages, RWU, HAT_LOAD_LOCK);
	check_eq(hat->hat_pages_mapped[0], NLARGE + 2, "small pages, with a table in the way");
	check_eq(ht->ht_lock_cnt, NLARGE, "locks");
	check_eq(ht->ht_parent->ht_lock_cnt, 0, "locks of the failed large load");
	hat_unload(hat, VA - PAGESIZE, n * PAGESIZE, HAT_UNLOAD_UNLOCK);
	check_eq(ht->ht_lock_cnt, 0, "locks at the end");
	htable_release(ht);
	look_at_end(hat, &s);
	page_free(a, 0);
	page_free(b, 0);
	free_group(large);
}

/* ------------------------------------------------------------------ remaps and locks */

static page_t *remap_to;

static void
load_other(void *hat)
{
	hat_memload(hat, VA, remap_to, RWU, HAT_LOAD);
}

CHECK(upper_remap, "upper-remap", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *a = new_page(), *b = new_page();
	uint_t attr, entry;
	x86pte_t pte;
	char text[160];
	htable_t *ht;

	hat_memload(hat, VA, a, RU, HAT_LOAD);
	hat_memload(hat, VA, a, RWU, HAT_LOAD); /* more permission */
	hat_memload(hat, VA, a, RWU, HAT_LOAD); /* nothing new */
	check_eq(hat_getattr(hat, VA, &attr), 0, "hat_getattr");
	check_eq(attr, RWU | (mmu.pt_nx ? 0 : PROT_EXEC), "attributes");
	check_eq(hat->hat_pages_mapped[0], 1, "leaves");
	check_eq(hat_page_getshare(a), 1, "records");
	/* another frame: panics, and this check puts back what was there */
	ht = htable_getpte(hat, VA, &entry, &pte, 0);
	remap_to = b;
	check_true(check_panics(load_other, hat, text, sizeof(text)), "another frame was mapped over a recorded one");
	check_note("the panic: %s", text);
	(void)x86pte_set(ht, entry, pte, NULL);
	htable_release(ht);
	htable_release(ht);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	/* unrecorded ones may move */
	hat_memload(hat, VA, a, RWU, HAT_LOAD_NOCONSIST);
	hat_memload(hat, VA, b, RWU, HAT_LOAD_NOCONSIST | HAT_LOAD_REMAP);
	check_eq(hat_getpfnum(hat, VA), b->p_pagenum, "frame after a remap");
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	look_at_end(hat, &s);
	page_free(a, 0);
	page_free(b, 0);
}

static void
unlock_again(void *hat)
{
	hat_unlock(hat, VA, PAGESIZE);
}

CHECK(upper_locks, "upper-locks", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *pp = new_page();
	char text[160];

	hat_memload(hat, VA, pp, RU, HAT_LOAD_LOCK);
	hat_memload(hat, VA, pp, RU, HAT_LOAD_LOCK);
	check_eq(locks_at(hat, VA), 2, "locks of one mapping, locked twice");
	hat_unlock(hat, VA, 4 * PAGESIZE);
	hat_swapout(hat);
	check_eq(hat_probe(hat, VA), 1, "a locked page after hat_swapout()");
	hat_unlock(hat, VA, PAGESIZE);
	check_eq(locks_at(hat, VA), 0, "locks");
#ifdef DEBUG
	check_true(check_panics(unlock_again, hat, text, sizeof(text)), "unlocked too often");
	drop_hold(hat, VA, 0);
#else
	unlock_again(hat);
	(void)text;
#endif
	check_eq(locks_at(hat, VA), 0, "locks after one unlock too many");
	hat_swapout(hat);
	check_eq(hat_probe(hat, VA), 0, "an unlocked page after hat_swapout()");
	look_at_end(hat, &s);
	page_free(pp, 0);
}

#define MISUSES 5

static void
misuse(hat_t *hat, int n)
{
	switch (n) {
	case 0:
		hat_unload(hat, VA + 1, PAGESIZE, HAT_UNLOAD);
		break;
	case 1:
		hat_unload(hat, VA, PAGESIZE + 8, HAT_UNLOAD);
		break;
	case 2:
		hat_devload(hat, userlimit - PAGESIZE, 2 * PAGESIZE, 0x100, RU, HAT_LOAD_NOCONSIST);
		break;
	case 3:
		hat_chgprot(kas_hat, kernelbase - PAGESIZE, 2 * PAGESIZE, RU);
		break;
	case 4:
		hat_sync(hat, mmu.hole_end != 0 ? mmu.hole_start - PAGESIZE : ~(uintptr_t)PAGEOFFSET, 2 * PAGESIZE, 0);
		break;
	}
}

static int misuse_number;

static void
try_misuse(void *hat)
{
	misuse(hat, misuse_number);
}

CHECK(upper_misuse, "upper-misuse", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	char text[160];

	for (misuse_number = 0; misuse_number < MISUSES; misuse_number++) {
		bool stopped = check_panics(try_misuse, hat, text, sizeof(text));
#ifdef DEBUG
		check_true(stopped, "misuse %d is not noticed", misuse_number);
		check_note("%s", text);
#else
		check_true(!stopped, "misuse %d: %s", misuse_number, text);
#endif
		look_at_end(hat, &s);
	}
}

/* ------------------------------------------------------------------ attributes, accessed, dirty */

CHECK(upper_attr, "upper-attr", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *pp = new_page(), *raw = new_page();
	uint_t attr;

	hat_memload(hat, VA, pp, RWU, HAT_LOAD);
	hat_memload(hat, VA + PAGESIZE, raw, RWU, HAT_LOAD_NOCONSIST);
	touch(hat, VA, true);
	check_eq(entry_at(hat, VA) & (PT_REF | PT_MOD), PT_REF | PT_MOD, "accessed and dirty after a write");
	hat_setattr(hat, VA, PAGESIZE, PROT_EXEC);
	check_eq(entry_at(hat, VA) & (PT_REF | PT_MOD), PT_REF | PT_MOD, "accessed and dirty, still writable");
	check_eq(pp->p_nrm, 0, "bits of the page so far");
	hat_chgprot(hat, VA, 2 * PAGESIZE, RU);
	check_eq(entry_at(hat, VA) & (PT_REF | PT_MOD | PT_WRITABLE), 0, "bits of a write-protected entry");
	check_eq(hat_page_getattr(pp, P_REF | P_MOD), P_REF | P_MOD, "bits that went to the page");
	check_true(!can_write(hat, VA), "a write-protected page was written");
	check_true((entry_at(hat, VA + PAGESIZE) & PT_WRITABLE) != 0, "an unrecorded leaf was changed");
	hat_page_clrattr(pp, P_REF | P_MOD);
	hat_setattr(hat, VA, PAGESIZE, PROT_WRITE);
	check_true(can_write(hat, VA), "a page that became writable is not");
	/* C-41: no sync, so both bits are there, and what was collected before is in the page */
	hat_setattr(hat, VA, PAGESIZE, HAT_NOSYNC);
	check_eq(entry_at(hat, VA) & (PT_REF | PT_MOD | PT_SOFTWARE), PT_REF | PT_MOD | PT_NOSYNC, "bits of a NOSYNC entry");
	check_eq(hat_page_getattr(pp, P_REF | P_MOD), P_REF | P_MOD, "bits of the page when it became NOSYNC");
	(void)hat_getattr(hat, VA, &attr);
	check_true((attr & HAT_NOSYNC) != 0, "attributes are 0x%x", attr);
	hat_clrattr(hat, VA, PAGESIZE, HAT_NOSYNC | PROT_WRITE | PROT_EXEC);
	(void)hat_getattr(hat, VA, &attr);
	check_eq(attr, RU | (mmu.pt_nx ? 0 : PROT_EXEC), "attributes after hat_clrattr()");
	hat_chgattr(hat, VA, PAGESIZE, RWU | PROT_EXEC | HAT_NOSYNC);
	(void)hat_getattr(hat, VA, &attr);
	check_eq(attr, RWU | PROT_EXEC | HAT_NOSYNC, "attributes after hat_chgattr()");
	hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
	look_at_end(hat, &s);
	page_free(pp, 0);
	page_free(raw, 0);
}

CHECK(upper_order, "upper-order", NULL, 0, 0, NULL, 0)
{
	static const uint_t attr[] = { HAT_STRICTORDER, HAT_UNORDERED_OK, HAT_MERGING_OK, HAT_LOADCACHING_OK, HAT_STORECACHING_OK };
	static const x86pte_t want[] = { PT_NOCACHE, 0, PT_NOCACHE | PT_PAT_4K, PT_NOCACHE | PT_PAT_4K, 0 };

	for (uint_t i = 0; i < NELEM(attr); i++) {
		hat_devload(hat, VA, PAGESIZE, mmu.highest_pfn, RU | attr[i], HAT_LOAD);
		check_eq(entry_at(hat, VA) & (PT_NOCACHE | PT_WRITETHRU | PT_PAT_4K), want[i], "caching bits");
		hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	}
}

CHECK(upper_sync, "upper-sync", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *pp = new_page(), *large = new_group();

	hat_memload(hat, VA, pp, RWU, HAT_LOAD);
	hat_devload(hat, VA + LARGE, LARGE, large->p_pagenum, RWU, HAT_LOAD);
	touch(hat, VA, false);
	touch(hat, VA + LARGE + 9 * PAGESIZE, true);
	hat_sync(hat, VA, 2 * LARGE, HAT_SYNC_DONTZERO);
	check_eq(pp->p_nrm, P_REF, "bits of a page that was read");
	check_eq(large[NLARGE - 1].p_nrm, P_REF | P_MOD, "bits of the last page of the group");
	check_eq(entry_at(hat, VA + LARGE) & (PT_REF | PT_MOD), PT_REF | PT_MOD, "bits of the entry, not cleared");
	hat_sync(hat, VA, 2 * LARGE, HAT_SYNC_ZERORM);
	check_eq(entry_at(hat, VA + LARGE) & (PT_REF | PT_MOD), 0, "bits of the entry, cleared");
	hat_page_clrattr(pp, P_REF);
	touch(hat, VA, true); /* the stale translation must not hide it */
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	check_eq(pp->p_nrm, P_REF | P_MOD, "bits at unload");
	hat_memload(hat, VA, pp, RWU, HAT_LOAD);
	hat_page_clrattr(pp, P_REF | P_MOD);
	touch(hat, VA, true);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD_NOSYNC);
	check_eq(pp->p_nrm, 0, "bits when nobody wants them");
	hat_unload(hat, VA + LARGE, LARGE, HAT_UNLOAD);
	look_at_end(hat, &s);
	page_free(pp, 0);
	free_group(large);
}

/* ------------------------------------------------------------------ all mappings of a page */

/* Three address spaces, small and large leaves. */
static void
map_everywhere(hat_t *h[3], page_t *large)
{
	for (int i = 0; i < 3; i++) {
		hat_devload(h[i], VA, LARGE, large->p_pagenum, RWU, HAT_LOAD);
		hat_memload(h[i], VA + LARGE, large + 3, RWU, HAT_LOAD);
		hat_memload(h[i], VA + LARGE + PAGESIZE, large, RWU, HAT_LOAD);
		hat_memload(h[i], VA + LARGE + 2 * PAGESIZE, large + 3, RU, HAT_LOAD);
	}
}

static void
make_three(hat_t *h[3], hat_t *hat)
{
	h[0] = hat;
	h[1] = hat_alloc(NULL);
	h[2] = hat_alloc(NULL);
}

CHECK(upper_pageunload, "upper-pageunload", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *large = new_group();
	hat_t *h[3];

	make_three(h, hat);
	map_everywhere(h, large);
	check_eq(hat_page_getshare(large + 3), 9, "mappings of page 3");
	check_eq(hat_page_getshare(large), 6, "mappings of page 0");
	check_eq(hat_page_getshare(large + 4), 3, "mappings of page 4");
	check_true(hat_page_checkshare(large, 5) && !hat_page_checkshare(large, 6), "hat_page_checkshare");
	check_eq(check_invariants(), 0, "broken invariants");
	touch(h[1], VA + 8 * PAGESIZE, true);
	check_eq(hat_pageunload(large + 3, HAT_FORCE_PGUNLOAD), 0, "hat_pageunload");
	check_eq(large[8].p_nrm, P_REF | P_MOD, "bits of the page that was written");
	for (int i = 0; i < 3; i++) {
		check_eq(h[i]->hat_pages_mapped[1], 0, "large leaves");
		check_eq(h[i]->hat_pages_mapped[0], 1, "small leaves");
		check_eq(hat_getpfnum(h[i], VA + LARGE + PAGESIZE), large->p_pagenum, "the other page");
	}
	check_eq(hat_page_getshare(large + 3), 0, "mappings at the end");
	check_eq(hat_pageunload(large, 0), 0, "hat_pageunload");
	check_eq(check_invariants(), 0, "broken invariants");
	for (int i = 0; i < 3; i++)
		look_at_end(h[i], &s);
	leave(h[1]);
	leave(h[2]);
	free_group(large);
}

CHECK(upper_pagesync, "upper-pagesync", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *large = new_group();
	hat_t *h[3];

	make_three(h, hat);
	map_everywhere(h, large);
	touch(h[2], VA + LARGE, false);
	check_eq(hat_pagesync(large + 3, HAT_SYNC_DONTZERO), P_REF, "read through a small page");
	check_eq(hat_pagesync(large, HAT_SYNC_DONTZERO), 0, "the first page, not touched");
	touch(h[1], VA, true);
	check_eq(hat_pagesync(large + 3, HAT_SYNC_STOPON_REF), P_REF, "known already");
	check_eq(hat_pagesync(large + 3, HAT_SYNC_ZERORM), P_REF | P_MOD, "written through a large page");
	for (int i = 0; i < 3; i++)
		check_eq((entry_at(h[i], VA) | entry_at(h[i], VA + LARGE)) & (PT_REF | PT_MOD), 0, "entries after ZERORM");
	hat_page_clrattr(large + 3, P_REF | P_MOD);
	check_eq(hat_pagesync(large + 3, 0), 0, "after clearing");
	check_eq(hat_pagesync(large + 3, HAT_SYNC_STOPON_SHARED), P_REF, "mapped more than 8 times");
	/* a page of a sorted list that becomes clean is write-protected everywhere */
	large[3].p_flags |= PAGE_SORTED;
	touch(h[0], VA + LARGE, true);
	hat_page_clrattr(large + 3, P_MOD);
	for (int i = 0; i < 3; i++)
		check_true(!can_write(h[i], VA + LARGE) && !can_write(h[i], VA), "hat %d can still write", i);
	check_true(can_write(h[0], VA + LARGE + PAGESIZE), "another page was protected");
	check_eq(hat_page_getattr(large + 3, P_MOD), 0, "dirty");
	for (int i = 0; i < 3; i++)
		hat_unload(h[i], VA, 2 * LARGE, HAT_UNLOAD);
	look_at_end(hat, &s);
	leave(h[1]);
	leave(h[2]);
	free_group(large);
}

CHECK(upper_demote, "upper-demote", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	page_t *large = new_group();
	hat_t *h[3];

	make_three(h, hat);
	map_everywhere(h, large);
	hat_page_demote(large + 3);
	for (int i = 0; i < 3; i++) {
		check_eq(h[i]->hat_pages_mapped[1], 0, "large leaves");
		check_eq(h[i]->hat_pages_mapped[0], 3, "small leaves");
	}
	hat_devload(hat, VA, LARGE, large->p_pagenum, RU, HAT_LOAD);
	check_eq(hat->hat_pages_mapped[1], 0, "large leaves of a group that is none");
	check_eq(large->p_szc + large[NLARGE - 1].p_szc, 0, "p_szc");
	check_eq(check_invariants(), 0, "broken invariants");
	for (int i = 0; i < 3; i++)
		hat_unload(h[i], VA, 2 * LARGE, HAT_UNLOAD);
	look_at_end(hat, &s);
	leave(h[1]);
	leave(h[2]);
	free_group(large);
}

/* ------------------------------------------------------------------ sharing */

#define NCLIENTS 4
#define NSHARED  20

static page_t *shared_pages[NSHARED];

/** A source: two tables, of which the first has its first entry. */
static hat_t *
make_source(void)
{
	hat_t *src = hat_alloc(NULL);

	for (uint_t i = 0; i < NSHARED; i++) {
		shared_pages[i] = new_page();
		hat_memload(
		    src, VA + (i < 10 ? i * PAGESIZE : LARGE + i * PAGESIZE), shared_pages[i], RWU, HAT_LOAD_SHARE | HAT_LOAD_LOCK);
	}
	return (src);
}

static void
free_source(hat_t *src)
{
	hat_unload(src, VA, 2 * LARGE, HAT_UNLOAD_UNLOCK);
	leave(src);
	for (uint_t i = 0; i < NSHARED; i++)
		page_free(shared_pages[i], 0);
}

static void
look_at_client(hat_t *c, uintptr_t at)
{
	for (uint_t i = 0; i < NSHARED; i++)
		check_eq(hat_getpfnum(c, at + (i < 10 ? i * PAGESIZE : LARGE + i * PAGESIZE)), shared_pages[i]->p_pagenum,
		    "a page seen by a client");
	check_eq(hat_get_mapped_size(c), NSHARED * PAGESIZE, "bytes seen by a client");
}

CHECK(upper_share, "upper-share", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	hat_t *src = make_source(), *c[NCLIENTS];
	uintptr_t at = VA + 8 * LARGE;
	htable_t *ht = htable_lookup(src, VA, 0);
	int32_t busy;

	htable_release(ht); /* its pages keep it */
	busy = ht->ht_busy;
	check_true((src->hat_flags & HAT_SHARED) != 0, "the source is not marked");
	for (int i = 0; i < NCLIENTS; i++) {
		c[i] = i == 0 ? hat : hat_alloc(NULL);
		check_eq(hat_share(c[i], at, src, VA, 2 * LARGE, 0), 0, "hat_share");
		check_eq(ht->ht_busy, busy + i + 1, "holds on the source");
		check_eq(c[i]->hat_ism_pgcnt, 10, "pages seen through a shared table");
		check_eq(c[i]->hat_pages_mapped[0], NSHARED - 10, "pages of a table whose first entry is missing");
		look_at_client(c[i], at);
	}
	check_eq(check_invariants(), 0, "broken invariants");
	/* one page goes: nobody may see it, not even through a TLB */
	touch(c[1], at + 3 * PAGESIZE, true);
	hat_setup(c[1]);
	hat_unload(src, VA + 3 * PAGESIZE, PAGESIZE, HAT_UNLOAD_UNLOCK);
	{
		uint32_t word;
		bool seen = peek((void *)(at + 3 * PAGESIZE), &word, sizeof(word));

		hat_setup(NULL);
		check_true(!seen, "a page that the source has unloaded is still seen");
	}
	hat_memload(src, VA + 3 * PAGESIZE, shared_pages[3], RWU, HAT_LOAD_SHARE | HAT_LOAD_LOCK);
	hat_memload(src, VA + 11 * PAGESIZE, shared_pages[3], RWU, HAT_LOAD_SHARE | HAT_LOAD_LOCK);
	(void)hat_share(c[1], at, src, VA, LARGE, 0);
	check_eq(c[1]->hat_ism_pgcnt, 11, "a count that was refreshed");
	for (int i = NCLIENTS; i-- > 0;) {
		hat_unshare(c[i], at, 2 * LARGE, 0);
		check_eq(ht->ht_busy, busy + i, "holds on the source, going down");
		check_eq(hat_probe(c[i], at), 0, "a page after hat_unshare()");
		look_at_end(c[i], &(struct start){ s.free, s.tables, records_in_use() });
		if (i > 0)
			leave(c[i]);
	}
	free_source(src);
	look_at_end(hat, &s);
}

/* C-42, and a client whose address does not fit whole tables. */
CHECK(upper_share_private, "upper-share-private", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	hat_t *src = make_source();
	uintptr_t at = VA + 8 * LARGE, odd = VA + 16 * LARGE + PAGESIZE;
	htable_t *mine = htable_create(hat, at, 0, NULL);
	page_t *pp = new_page();

	hat_memload(hat, at + 100 * PAGESIZE, pp, RWU, HAT_LOAD);
	htable_release(mine); /* that page keeps it */
	(void)hat_share(hat, at, src, VA, 2 * LARGE, 0);
	check_eq(hat->hat_ism_pgcnt, 0, "pages seen through shared tables");
	check_eq(hat->hat_pages_mapped[0], NSHARED + 1, "pages mapped one by one");
	check_eq(mine->ht_lock_cnt, 10, "locks in the client's own table");
	check_eq(check_invariants(), 0, "broken invariants");
	mine = htable_lookup(hat, at, 0);
	hat_unload(hat, at + 100 * PAGESIZE, PAGESIZE, HAT_UNLOAD);
	look_at_client(hat, at);
	hat_unshare(hat, at, 2 * LARGE, 0);
	check_eq(mine->ht_lock_cnt, 0, "locks after hat_unshare()");
	htable_release(mine);
	(void)hat_share(hat, odd, src, VA, 2 * LARGE, 0);
	check_eq(hat->hat_ism_pgcnt, 0, "pages seen through shared tables at an odd address");
	look_at_client(hat, odd);
	hat_unshare(hat, odd, 2 * LARGE, 0);
	free_source(src);
	page_free(pp, 0);
	look_at_end(hat, &s);
}

/* A whole table of large pages, which is shared one level up; frames beyond memory. */
CHECK(upper_share_large, "upper-share-large", NULL, 0, 0, NULL, 0)
{
	struct start s = start();
	hat_t *src = hat_alloc(NULL);
	size_t all = LEVEL_SIZE(2);
	pfn_t pfn = (pfn_t)1 << (30 - PAGESHIFT);

	if (mmu.max_level < 2 || mmu.highest_pfn < 2 * pfn) {
		leave(src);
		return;
	}
	for (uintptr_t off = 0; off < all; off += LARGE) /* one by one, or it would be one page of 1 GiB */
		hat_devload(src, VA + off, LARGE, pfn + (off >> PAGESHIFT), RU, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, all, 1);
	check_eq(hat->hat_ism_pgcnt, all >> PAGESHIFT, "pages seen through a shared table of large ones");
	check_eq(hat_getpagesize(hat, VA + 7 * LARGE), LARGE, "size of a shared page");
	check_eq(check_invariants(), 0, "broken invariants");
	hat_unshare(hat, VA, all, 1);
	hat_unload(src, VA, LARGE, HAT_UNLOAD); /* the table is no longer full: page by page */
	(void)hat_share(hat, VA, src, VA, all, 1);
	check_eq(hat->hat_ism_pgcnt, 0, "pages of a table that is not full");
	check_eq(hat->hat_pages_mapped[1], all / LARGE - 1, "large pages");
	hat_unshare(hat, VA, all, 1);
	hat_unload(src, VA, all, HAT_UNLOAD);
	leave(src);
	look_at_end(hat, &s);
}

/* ------------------------------------------------------------------ private slots, and the rest */

CHECK(upper_mempte, "upper-mempte", NULL, 0, 0, NULL, 0)
{
	page_t *a = new_page(), *b = new_page();
	char *va = vmem_alloc(heap_arena, PAGESIZE, VM_SLEEP);
	paddr_t pa;
	uint32_t word = 0x11111111, other = 0;

	(void)hat;
	pa = hat_mempte_setup((uintptr_t)va);
	check_eq(check_invariants(), 0, "broken invariants with an empty slot");
	kpreempt_disable();
	hat_mempte_remap(a->p_pagenum, (uintptr_t)va, pa, PROT_READ | PROT_WRITE, HAT_LOAD);
	(void)poke(va, &word, sizeof(word));
	hat_mempte_remap(b->p_pagenum, (uintptr_t)va, pa, PROT_READ | PROT_WRITE, HAT_LOAD);
	word = 0x22222222;
	(void)poke(va, &word, sizeof(word));
	kpreempt_enable();
	check_true(peek_phys(pfn_to_pa(a->p_pagenum), &other, sizeof(other)), "page");
	check_eq(other, 0x11111111, "what was written to the first page");
	check_true(peek_phys(pfn_to_pa(b->p_pagenum), &other, sizeof(other)), "page");
	check_eq(other, 0x22222222, "what was written to the second page");
	check_eq(check_invariants(), 0, "broken invariants with a used slot");
	hat_mempte_release((uintptr_t)va, pa);
	check_true(!peek(va, &word, sizeof(word)), "the slot is gone and still there");
	vmem_free(heap_arena, va, PAGESIZE);
	page_free(a, 0);
	page_free(b, 0);
}

CHECK(upper_misc, "upper-misc", NULL, 0, 0, NULL, 0)
{
	page_t *pp = new_page();
	void *va = hat_kpm_mapin(pp);

	if (va != NULL) {
		check_eq((uintptr_t)hat_kpm_vaddr2page(va), (uintptr_t)pp, "page of an address in the linear map");
		check_eq(hat_kpm_va2pfn(va), pp->p_pagenum, "its frame");
		hat_kpm_mapout(pp, va);
	}
	check_eq(hat_kernelbase(kernelbase + 0x1000), kernelbase, "hat_kernelbase");
	check_true(hat_supported(HAT_SHARED_TABLES) && !hat_supported(HAT_SHARED_REGIONS), "hat_supported");
	check_eq(hat_dup(hat, hat, VA, PAGESIZE, 0), 0, "hat_dup");
	check_eq(hat_softlock(hat, VA, NULL, NULL, 0), -1, "hat_softlock");
	hat_enter(hat);
	check_true(MUTEX_HELD(&hat->hat_mutex), "hat_enter");
	hat_exit(hat);
	hat_setup(hat);
	hat_thread_exit(curthread);
	check_eq((uintptr_t)CPU->cpu_current_hat, (uintptr_t)kas_hat, "the hat after hat_thread_exit()");
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ a random history */

#define NHATS  3
#define NSLOTS 48 /* 16 in each of 3 tables */
#define NPAGES 12
#define NCALLS 2000

/** What should be mapped. */
static struct {
	hat_t *hat[NHATS];
	page_t *page[NPAGES];
	int8_t at[NHATS][NSLOTS]; /* which page; -1: none */
	uint8_t prot[NHATS][NSLOTS];
	uint8_t locks[NHATS][NSLOTS];
} m;

static uintptr_t
slot_va(uint_t slot)
{
	return (VA + (slot / 16) * LARGE + (slot % 16) * PAGESIZE);
}

static void
model_look(void)
{
	uint_t share[NPAGES] = { 0 };

	for (uint_t h = 0; h < NHATS; h++) {
		for (uint_t i = 0; i < NSLOTS; i++) {
			pfn_t have = hat_getpfnum(m.hat[h], slot_va(i));
			uint_t attr = 0;

			check_eq(have, m.at[h][i] < 0 ? PFN_INVALID : m.page[m.at[h][i]]->p_pagenum, "frame");
			if (m.at[h][i] < 0)
				continue;
			(void)hat_getattr(m.hat[h], slot_va(i), &attr);
			check_eq(attr & RWU, m.prot[h][i], "protection");
			share[m.at[h][i]]++;
		}
	}
	for (uint_t p = 0; p < NPAGES; p++)
		check_eq(hat_page_getshare(m.page[p]), share[p], "mappings of a page");
}

static void
do_load(uint_t h, uint_t i)
{
	bool lock = check_random(4) == 0;

	if (m.at[h][i] < 0)
		m.at[h][i] = (int8_t)check_random(NPAGES);
	m.prot[h][i] = check_random(2) ? RWU : RU;
	hat_memload(m.hat[h], slot_va(i), m.page[m.at[h][i]], m.prot[h][i], lock ? HAT_LOAD_LOCK : HAT_LOAD);
	m.locks[h][i] += lock;
}

/* Locks go first: a range is unlocked mapping by mapping. */
static void
do_unload(uint_t h, uint_t i, uint_t n)
{
	for (uint_t k = i; k < i + n; k++) {
		while (m.locks[h][k] > 0) {
			hat_unlock(m.hat[h], slot_va(k), PAGESIZE);
			m.locks[h][k]--;
		}
		m.at[h][k] = -1;
	}
	hat_unload(m.hat[h], slot_va(i), slot_va(i + n - 1) + PAGESIZE - slot_va(i), HAT_UNLOAD);
}

static void
do_protect(uint_t h, uint_t i, uint_t n, uint_t prot)
{
	hat_chgprot(m.hat[h], slot_va(i), slot_va(i + n - 1) + PAGESIZE - slot_va(i), prot);
	for (uint_t k = i; k < i + n; k++)
		m.prot[h][k] = (uint8_t)prot;
}

static bool
page_is_locked(uint_t p)
{
	for (uint_t h = 0; h < NHATS; h++)
		for (uint_t i = 0; i < NSLOTS; i++)
			if (m.at[h][i] == (int8_t)p && m.locks[h][i] > 0)
				return (true);
	return (false);
}

static void
do_pageunload(uint_t p)
{
	if (page_is_locked(p))
		return; /* its owner would not ask for that */
	(void)hat_pageunload(m.page[p], 0);
	for (uint_t h = 0; h < NHATS; h++)
		for (uint_t i = 0; i < NSLOTS; i++)
			if (m.at[h][i] == (int8_t)p)
				m.at[h][i] = -1;
}

static void
model_step(void)
{
	uint_t h = (uint_t)check_random(NHATS), i = (uint_t)check_random(NSLOTS);
	uint_t n = 1 + (uint_t)check_random(NSLOTS - i);

	switch (check_random(16)) {
	case 0:
		do_unload(h, i, n);
		break;
	case 1:
	case 2:
		do_unload(h, i, 1);
		break;
	case 3:
		do_protect(h, i, n, check_random(2) ? RWU : RU);
		break;
	case 4:
		do_protect(h, i, 1, RU);
		break;
	case 5:
		do_pageunload((uint_t)check_random(NPAGES));
		break;
	case 6:
		(void)hat_pagesync(m.page[check_random(NPAGES)], (uint_t)check_random(2));
		break;
	case 7:
		hat_sync(m.hat[h], slot_va(i), PAGESIZE, HAT_SYNC_ZERORM);
		break;
	case 8:
		if (m.at[h][i] >= 0)
			touch(m.hat[h], slot_va(i), m.prot[h][i] == RWU);
		break;
	default:
		do_load(h, i);
		break;
	}
}

CHECK(upper_history, "upper-history", NULL, 0, 0, NULL, 0)
{
	struct start s = start();

	make_three(m.hat, hat);
	for (uint_t p = 0; p < NPAGES; p++)
		m.page[p] = new_page();
	for (uint_t h = 0; h < NHATS; h++)
		for (uint_t i = 0; i < NSLOTS; i++)
			m.at[h][i] = -1, m.locks[h][i] = 0;
	for (uint_t call = 1; call <= NCALLS; call++) {
		model_step();
		if (call % 100 == 0)
			model_look();
		if (call % 500 == 0)
			check_eq(check_invariants(), 0, "broken invariants");
	}
	for (uint_t h = 0; h < NHATS; h++)
		do_unload(h, 0, NSLOTS);
	model_look();
	for (uint_t h = 0; h < NHATS; h++)
		look_at_end(m.hat[h], &s);
	leave(m.hat[1]);
	leave(m.hat[2]);
	for (uint_t p = 0; p < NPAGES; p++)
		page_free(m.page[p], 0);
}
