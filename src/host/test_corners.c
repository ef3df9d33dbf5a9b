/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Corners of the interface above the tables: lists and their reserve, groups of pages, what is locked or shared, what vanishes.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/windows.h>
#include <memmap.h>

#define LARGE  LEVEL_SIZE(1)
#define NLARGE (LARGE >> PAGESHIFT)
#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */
#define OTHER  (VA + 8 * LARGE)

/* ------------------------------------------------------------------ lists */

/** A thread that lives on the reserves takes its records from there and gives them back there; others trim what is too much. */
static void
list_reserve(hat_t *hat)
{
	uint64_t amount = hment_reserve_amount;
	uint_t had = hment_reserve_cnt;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	curthread->t_hatdepth = 2;
	hat_memload(hat, OTHER, page, RW, HAT_LOAD);
	hat_memload(hat, OTHER + PAGESIZE, page, RW, HAT_LOAD);
	expect(hment_reserve_cnt < had, "records that are not from the reserve");
	hment_reserve_amount = 3;
	hat_unload(hat, OTHER, 2 * PAGESIZE, HAT_UNLOAD);
	expect(hat_page_getshare(page) == 1 && hment_reserve_cnt + 1 >= had, "%u records of %u are back in the reserve",
	    hment_reserve_cnt, had);
	hment_adjust_reserve();
	expect(hment_reserve_cnt > 3, "somebody who lives on the reserve gives it away");
	curthread->t_hatdepth = 0;
	hment_adjust_reserve();
	expect(hment_reserve_cnt == 3, "%u records are left in the reserve", hment_reserve_cnt);
	hment_reserve_amount = amount;
	hat_memload(hat, OTHER, page, RW, HAT_LOAD); /* and here it is filled again */
	expect(hment_reserve_cnt == amount, "%u records in the reserve", hment_reserve_cnt);
	hat_unload(hat, OTHER, PAGESIZE, HAT_UNLOAD);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

/** Two mappings: after the first one enough is known. And one from which nothing is ever collected. */
static void
two_mappings(hat_t *hat)
{
	hat_memload(hat, VA, page, RW, HAT_LOAD);
	hat_memload(hat, OTHER, page, RW, HAT_LOAD);
	for (uint_t i = 0; i < 2; i++) {
		uint_t entry;
		htable_t *ht = htable_getpage(hat, i ? OTHER : VA, &entry);
		x86pte_t pte = x86pte_get(ht, entry);

		pte_store(x86pte_access_pagetable(ht, entry), pte | PT_REF);
		x86pte_release_pagetable(ht);
		htable_release(ht);
	}
	page->p_nrm = 0;
	expect(hat_pagesync(page, HAT_SYNC_ZERORM | HAT_SYNC_STOPON_REF) == P_REF, "no mapping was used");
	page->p_nrm = 0;
	expect(
	    hat_pagesync(page, HAT_SYNC_ZERORM | HAT_SYNC_STOPON_REF) == P_REF, "the second mapping was looked at the first time");
	page->p_nrm = 0;
	expect(hat_pagesync(page, HAT_SYNC_ZERORM | HAT_SYNC_STOPON_REF) == 0, "there was a third");
	hat_setattr(hat, OTHER, PAGESIZE, HAT_NOSYNC);
	expect(hat_pagesync(page, HAT_SYNC_DONTZERO) == 0, "something was collected that never is");
	(void)hat_pageunload(page, HAT_FORCE_PGUNLOAD);
	expect(hat_page_getshare(page) == 0 && page->p_nrm == 0, "something was collected that never is: 0x%x", page->p_nrm);
}

/* ------------------------------------------------------------------ groups */

static page_t *group[1024];

static void
expect_size(hat_t *hat, page_t **pps, size_t size, const char *what)
{
	hat_memload_array(hat, VA, LARGE, pps, RW, HAT_LOAD);
	expect(hat_getpagesize(hat, VA) == (long)size, "%s: a page of 0x%lx bytes", what, hat_getpagesize(hat, VA));
	for (uint_t i = 0; i < NLARGE; i++)
		expect(hat_getpfnum(hat, VA + i * PAGESIZE) == pps[i]->p_pagenum, "%s: page %u", what, i);
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
}

/** Pages are mapped as one only if they are adjacent and may be: not with two of them exchanged, not when the group fell apart. */
static void
groups(hat_t *hat)
{
	page_t *first;

	if (mmu.umax_page_level < 1)
		return;
	first = page_get_large(PAGE_USER, (uint_t)NLARGE);
	for (uint_t i = 0; i < NLARGE; i++)
		group[i] = first + i;
	expect_size(hat, group, LARGE, "a group");
	group[3] = first + 4;
	group[4] = first + 3;
	expect_size(hat, group, PAGESIZE, "two pages exchanged");
	group[3] = first + 3;
	group[4] = first + 4;
	hat_page_demote(first);
	expect_size(hat, group, PAGESIZE, "a group that fell apart");
	for (uint_t i = 0; i < NLARGE; i++)
		page_free(first + i, 1);
}

/* ------------------------------------------------------------------ locked, shared */

/** A large page that does not fit, because there is a table: it is locked once a small page, not twice. */
static void
locked_pages(hat_t *hat)
{
	htable_t *ht;

	if (mmu.umax_page_level < 1)
		return;
	hat_devload(hat, VA, PAGESIZE, 0xe0, RW, HAT_LOAD);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	hat_devload(hat, VA + PAGESIZE, PAGESIZE, FRAMES + 1, RW, HAT_LOAD_LOCK);
	hat_devload(hat, VA, LARGE, FRAMES, RW, HAT_LOAD_LOCK);
	ht = htable_lookup(hat, VA, 0);
	expect(ht != NULL && ht->ht_lock_cnt == NLARGE + 1, "%u locks in a table of small pages", ht == NULL ? 0 : ht->ht_lock_cnt);
	htable_release(ht);
	hat_unlock(hat, VA + PAGESIZE, PAGESIZE);
	hat_devload(hat, OTHER, LARGE, FRAMES, RW | HAT_MERGING_OK, HAT_LOAD_LOCK);
	hat_swapout(hat);
	expect(hat_probe(hat, VA) && hat_probe(hat, OTHER), "a locked page was swapped out");
	hat_unload(hat, VA, LARGE, HAT_UNLOAD_UNLOCK);
	hat_unload(hat, OTHER, LARGE, HAT_UNLOAD_UNLOCK);
}

/** What is seen through another's table is neither unlocked nor swapped out here. */
static void
shared_pages(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);
	htable_t *ht;

	for (uint_t i = 0; i < 2; i++)
		hat_memload(src, VA + i * PAGESIZE, page, RW, HAT_LOAD_SHARE | HAT_LOAD_LOCK);
	(void)hat_share(hat, VA, src, VA, LARGE, 0);
	hat_memload(hat, OTHER, page, RW, HAT_LOAD);
	hat_unlock(hat, VA, LARGE);
	hat_swapout(hat);
	ht = htable_lookup(src, VA, 0);
	expect(ht->ht_lock_cnt == 2 && hat_probe(hat, VA) && !hat_probe(hat, OTHER), "a client's call reached its source");
	htable_release(ht);
	hat_unshare(hat, VA, LARGE, 0);
	host_free_space(hat);
	hat_unload(src, VA, LARGE, HAT_UNLOAD_UNLOCK);
	host_free_space(src);
}

/* ------------------------------------------------------------------ what is not there any more */

static uint_t looks;

static void
gone_at_second_look(volatile void *p)
{
	if (((uintptr_t)p & PAGEOFFSET) != (uintptr_t)5 << mmu.pte_size_shift || ++looks < 2)
		return;
	host_before_load = NULL;
	pte_store((void *)(uintptr_t)p, 0);
}

/** The leaf vanishes after it was found. */
static void
vanishing(hat_t *hat)
{
	uintptr_t va = VA + 5 * PAGESIZE;
	uint_t entry;
	htable_t *ht;
	x86pte_t pte;

	hat_devload(hat, va, PAGESIZE, 0xe0, RW, HAT_LOAD);
	ht = htable_getpage(hat, va, &entry);
	pte = x86pte_get(ht, entry);
	looks = 0;
	host_before_load = gone_at_second_look;
	expect(hat_getpfnum(hat, va) == PFN_INVALID && host_before_load == NULL, "a frame of a page that has gone");
	(void)x86pte_set(ht, entry, pte, NULL);
	htable_release(ht);
	hat_unload(hat, va, PAGESIZE, HAT_UNLOAD);
	expect(mmu.num_level < 4 || hat_getpfnum(hat, mmu.hole_start) == PFN_INVALID, "a frame in the hole");
}

/** Questions with one answer. */
static void
questions(hat_t *hat)
{
	htable_t *ht = htable_lookup(kas_hat, WINDOW_VA(0), 0);

	panicstr = "a test";
	expect(use_hat_reserves(), "in a panic nobody lives on the reserves");
	panicstr = NULL;
	expect(!use_hat_reserves(), "everybody lives on the reserves");
	expect(!hat_is_copied_slot(kas_hat->hat_htable, 0), "a copied slot in the kernel's own table");
	expect(!hat_is_private_slot(hat->hat_htable, 0), "a private slot of a user's");
	if (ht != NULL)
		(void)hat_is_private_slot(ht, 0);
	htable_release(ht);
	hat_devload(kas_hat, HEAP_BASE + 64 * LARGE, PAGESIZE, 0xe0, PROT_READ | PROT_WRITE, HAT_LOAD_LOCK);
	hat_unload(kas_hat, HEAP_BASE + 64 * LARGE, PAGESIZE, HAT_UNLOAD_UNLOCK); /* the kernel's are never locked */
	expect(!hat_probe(kas_hat, HEAP_BASE + 64 * LARGE), "a page of the kernel's is still there");
}

void
corners_run(hat_t *hat)
{
	list_reserve(hat);
	two_mappings(hat);
	groups(hat);
	locked_pages(hat);
	shared_pages();
	vanishing(hat);
	questions(hat);
}
