/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The interface above the tables, where leaves change while it looks, and in its corners.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <memmap.h>

static uint_t came;

static void
set_mod(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, pte_load(p) | PT_REF | PT_MOD);
	came++;
}

/** The entry at VA, whatever it is. */
static x86pte_t
entry_at(hat_t *hat, uintptr_t va)
{
	x86pte_t pte;
	htable_t *ht = htable_getpte(hat, va, NULL, &pte, 0);

	htable_release(ht);
	return (pte);
}

/** The page at VA with these bits, and nothing known of it; at the next exchange somebody uses it. */
static void
start(hat_t *hat, x86pte_t bits, void (*hook)(volatile void *))
{
	uint_t i;
	htable_t *ht;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	ht = htable_getpage(hat, VA, &i);
	pte_store(x86pte_access_pagetable(ht, i), (MAKEPTE(page->p_pagenum, 0) | PT_WRITABLE | PT_USER | mmu.pt_nx | bits));
	x86pte_release_pagetable(ht);
	htable_release(ht);
	page->p_nrm = 0;
	came = 0;
	host_before_cas = hook;
}

static void
end(hat_t *hat, x86pte_t gone, uint_t nrm, const char *what)
{
	x86pte_t pte = entry_at(hat, VA);

	expect(came == 1, "%s: nobody came between", what);
	expect((pte & gone) == 0 && (page->p_nrm & nrm) == nrm, "%s: the entry is 0x%llx, the page's bits 0x%x", what,
	    (unsigned long long)pte, page->p_nrm);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

/** The MMU notes an access while bits are collected or taken away: another turn, and none is lost. */
static void
collect_races(hat_t *hat)
{
	start(hat, 0, set_mod);
	hat_clrattr(hat, VA, PAGESIZE, PROT_WRITE);
	end(hat, PT_WRITABLE | PT_MOD, P_REF | P_MOD, "hat_clrattr");
	start(hat, PT_REF, set_mod);
	(void)hat_pagesync(page, HAT_SYNC_ZERORM);
	end(hat, PT_REF | PT_MOD, P_REF | P_MOD, "hat_pagesync");
	start(hat, PT_REF, set_mod);
	hat_sync(hat, VA, PAGESIZE, HAT_SYNC_ZERORM);
	end(hat, PT_REF | PT_MOD, P_REF | P_MOD, "hat_sync");
	start(hat, 0, set_mod);
	page->p_flags |= PAGE_SORTED;
	hat_page_clrattr(page, P_MOD);
	page->p_flags &= (uint16_t)~PAGE_SORTED;
	end(hat, PT_WRITABLE | PT_MOD, P_REF, "hat_page_clrattr");
}

/** It is enough to know that it was written to; a page that is left alone; what is never collected. */
static void
collect_enough(hat_t *hat)
{
	start(hat, PT_REF | PT_MOD, NULL);
	page->p_nrm = P_MOD;
	expect(hat_pagesync(page, HAT_SYNC_ZERORM | HAT_SYNC_STOPON_MOD) == P_MOD, "it was known, and looked for");
	page->p_nrm = P_REF;
	expect(hat_pagesync(page, HAT_SYNC_ZERORM | HAT_SYNC_STOPON_REF) == P_REF, "it was known, and looked for");
	page->p_nrm = 0;
	expect(
	    hat_pagesync(page, HAT_SYNC_STOPON_SHARED | HAT_SYNC_STOPON_MOD) == (P_REF | P_MOD), "bits of a page with one mapping");
	hat_page_setattr(page, P_RO);
	expect(hat_page_getattr(page, P_RO | P_MOD) == (P_RO | P_MOD), "bits of a page");
	hat_page_clrattr(page, P_RO);
	hat_setattr(hat, VA, PAGESIZE, HAT_NOSYNC);
	hat_sync(hat, VA, PAGESIZE, HAT_SYNC_ZERORM);
	expect((entry_at(hat, VA) & (PT_REF | PT_MOD)) == (PT_REF | PT_MOD), "bits that are never collected: 0x%llx",
	    (unsigned long long)entry_at(hat, VA));
	page->p_flags |= PAGE_SORTED;
	hat_page_clrattr(page, P_MOD);
	expect(!(entry_at(hat, VA) & PT_WRITABLE) && (entry_at(hat, VA) & PT_MOD), "a leaf that is never collected: 0x%llx",
	    (unsigned long long)entry_at(hat, VA));
	hat_page_clrattr(page, P_MOD); /* nothing to take away any more */
	page->p_flags &= (uint16_t)~PAGE_SORTED;
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

static page_t *second;

/** Somebody else has unmapped the page, and mapped another one, just before its entry is cleared. */
static void
other_page(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, (pte_load(p) & ~PT_PADDR) | (x86pte_t)second->p_pagenum << PAGESHIFT);
	came++;
}

/**
 * The unmapper has locked one page's list, and finds another page: it must start again with that one's. Its record is made here
 * by hand; the first one's is taken away as its own unmapper would have done.
 */
static void
unmap_race(hat_t *hat)
{
	uint_t i;
	htable_t *ht;
	hment_t *hm;
	x86pte_t pte;

	start(hat, 0, NULL);
	ht = htable_getpage(hat, VA, &i);
	pte = x86pte_get(ht, i);
	x86_hm_enter(page);
	hm = hment_remove(page, ht, i);
	x86_hm_exit(page);
	hment_free(hm);
	x86_hm_enter(second);
	hm = hment_assign(ht, i, second, hment_prepare(ht, i, second));
	x86_hm_exit(second);
	hment_free(hm);
	other_page(x86pte_access_pagetable(ht, i));
	x86pte_release_pagetable(ht);
	hat_pte_unmap(ht, i, HAT_UNLOAD, pte, NULL);
	expect(came == 1 && x86pte_get(ht, i) == 0 && hat_page_getshare(second) == 0 && ht->ht_valid_cnt == 0,
	    "the other page is still there: 0x%llx", (unsigned long long)x86pte_get(ht, i));
	hat_pte_unmap(ht, i, HAT_UNLOAD, pte, NULL); /* and when it has gone meanwhile, nothing happens */
	expect(x86pte_get(ht, i) == 0 && ht->ht_valid_cnt == 0, "%d entries", ht->ht_valid_cnt);
	htable_release(ht);
}

/** Caching orders, by name and by force, and two pages that only look like a group. */
static void
orders(hat_t *hat)
{
	static const uint_t order[] = { HAT_STRICTORDER, HAT_UNORDERED_OK, HAT_MERGING_OK, HAT_LOADCACHING_OK, HAT_STORECACHING_OK,
		HAT_STORECACHING_OK | HAT_PLAT_NOCACHE };
	page_t *pps[2] = { page, second };
	uint_t attr;

	for (uint_t i = 0; i < NELEM(order); i++) {
		x86pte_t pte;

		hat_devload(hat, VA, PAGESIZE, 0xe0, RW | order[i], HAT_LOAD);
		pte = entry_at(hat, VA);
		expect(((pte & PT_NOCACHE) != 0) == (i == 0 || i == 2 || i == 3 || i == 5), "order %u: 0x%llx", i,
		    (unsigned long long)pte);
		hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	}
	hat_memload_array(hat, VA, 2 * PAGESIZE, pps, PROT_READ, HAT_LOAD);
	expect(hat_getattr(hat, VA, &attr) == 0 && attr == PROT_READ + (mmu.pt_nx ? 0 : PROT_EXEC), "attributes 0x%x", attr);
	hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
	expect(hat_getattr(hat, VA, &attr) == -1, "attributes of nothing");
	expect(hat_getpagesize(hat, VA) == -1, "the size of nothing");
}

/** A large page becomes read-only when it is loaded again. */
static void
large_again(hat_t *hat)
{
	uint_t attr;

	if (mmu.umax_page_level < 1)
		return;
	for (uint_t w = 0; w < 2; w++) {
		hat_devload(hat, VA, LEVEL_SIZE(1), (pfn_t)1 << (30 - PAGESHIFT), w ? PROT_READ | PROT_USER : RW, HAT_LOAD);
		expect(hat_getpagesize(hat, VA) == (long)LEVEL_SIZE(1) && hat_getattr(hat, VA, &attr) == 0 &&
			(attr & PROT_WRITE) == (w ? 0 : PROT_WRITE),
		    "a large page, loaded again");
	}
	hat_unload(hat, VA, LEVEL_SIZE(1), HAT_UNLOAD);
}

static uint64_t walked;

static void
add(void *arg, void *va, size_t len)
{
	(void)arg, (void)va;
	walked += len;
}

/** What has no work here, says so by doing nothing. */
static void
nothing_to_do(hat_t *hat)
{
	size_t len = PAGESIZE;
	char *linear = hat_kpm_mapin(page);

	expect(hat_dup(hat, hat, VA, PAGESIZE, 0) == 0 && hat_softlock(hat, VA, &len, NULL, 0) == -1, "hat_dup, hat_softlock");
	hat_swapin(hat);
	hat_map(hat, VA, PAGESIZE, 0);
	hat_reserve(&wide, VA, PAGESIZE);
	expect(hat_supported(HAT_SHARED_TABLES) && hat_supported(HAT_SORTED_DIRTY) && !hat_supported(HAT_SHARED_REGIONS) &&
		!hat_supported(HAT_DYNAMIC_ISM_UNMAP),
	    "hat_supported");
	hat_enter(hat);
	hat_exit(hat);
	walked = 0;
	hat_kpm_walk(add, NULL);
	expect((linear != NULL) == (kpm_vbase != 0) && (walked != 0) == (kpm_vbase != 0), "the linear map");
	if (linear != NULL)
		hat_kpm_mapout(page, linear);
	expect(hat_kernelbase(kernelbase) == kernelbase, "kernelbase rounded down");
}

void
leaves_run(hat_t *hat)
{
	second = page_get(PAGE_USER);
	collect_races(hat);
	collect_enough(hat);
	unmap_race(hat);
	orders(hat);
	large_again(hat);
	nothing_to_do(hat);
	page_free(second, 1);
}
