/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What makes ranges cheap, and must not make them wrong: chains that grow, one flush for a table, groups that are passed over.
 */
#include <check/check.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <vm/page.h>

#define VA	((uintptr_t)0x40000000)
#define RW	(PROT_READ | PROT_WRITE)
#define NTABLES	200u

static page_t *
get_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "out of pages");
	return (pp);
}

static uint_t
longest_chain(const hat_t *hat)
{
	uint_t longest = 0;

	for (uint_t b = 0; b < htable_nbuckets(hat); b++) {
		uint_t n = 0;

		for (const htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			n++;
		longest = MAX(longest, n);
	}
	return (longest);
}

/* C-16. 200 tables on 16 chains would be 12 on one of them at least. */
CHECK(chains_grow, "chains-grow", NULL, 0, 0, NULL, 0)
{
	for (uint_t i = 0; i < NTABLES; i++)
		hat_devload(hat, VA + i * LEVEL_SIZE(1), PAGESIZE, 0x80001, RW, HAT_LOAD_NOCONSIST);
	check_true(longest_chain(hat) <= 10, "%u tables on one chain, of %u", longest_chain(hat), NTABLES);
	for (uint_t i = 0; i < NTABLES; i++)
		check_true(hat_probe(hat, VA + i * LEVEL_SIZE(1)), "table %u of %u is not found any more", i, NTABLES);
	hat_unload(hat, VA, NTABLES * LEVEL_SIZE(1), HAT_UNLOAD);
}

#ifdef DEBUG	/* flushes are counted there only */
/* C-17: recorded pages and others in one table, all used; and pages before and behind that stay. */
CHECK(unload_flush, "unload-flush", NULL, 0, 0, NULL, 0)
{
	page_t *pp = get_page();
	ulong_t flushes;

	for (uint_t i = 0; i < 40; i++)
		hat_memload(hat, VA + i * PAGESIZE, pp, RW, i % 3 == 0 ? HAT_LOAD_NOCONSIST : HAT_LOAD);
	hat_setup(hat);
	for (uint_t i = 0; i < 40; i++)
		*(volatile char *)(VA + i * PAGESIZE) = 1;
	flushes = hatstat.hs_tlb_invals;
	hat_unload(hat, VA + 2 * PAGESIZE, 36 * PAGESIZE, HAT_UNLOAD);
	flushes = hatstat.hs_tlb_invals - flushes;
	hat_setup(NULL);
	check_eq(flushes, 1, "flushes for 36 pages of one table");
	for (uint_t i = 0; i < 40; i++)
		check_eq(hat_probe(hat, VA + i * PAGESIZE), i < 2 || i >= 38, "mapped after the unload");
	check_eq(hat_page_getshare(pp), 2, "mappings of the page that are left");	/* 0 and 39 are not recorded */
	hat_unload(hat, VA, 40 * PAGESIZE, HAT_UNLOAD);
	page_free(pp, 1);
}
#endif

/* A page that a range unload has taken off its list and not flushed yet is not free of its mappers: hat_pageunload() flushes. */
CHECK(unload_reuse, "unload-reuse", NULL, 0, 0, NULL, 0)
{
	page_t *pp = get_page();
	htable_t *ht;
	x86pte_t pte;
	uint_t entry;
	char c;
	bool stale;

	hat_memload(hat, VA, pp, RW, HAT_LOAD);
	hat_setup(hat);
	*(volatile char *)VA = 1;
	atomic_inc_32(&hat_unflushed);		/* as in the middle of unload_table() */
	ht = htable_getpte(hat, VA, &entry, &pte, 0);
	(void)pte_take(x86pte_access_pagetable(ht, entry), pte);
	x86pte_release_pagetable(ht);
	x86_hm_enter(pp);
	hment_free(hment_remove(pp, ht, entry));
	x86_hm_exit(pp);
	atomic_dec_int(&ht->ht_valid_cnt);
	atomic_add_long(&hat->hat_pages_mapped[0], -1);
	(void)hat_pageunload(pp, 0);
	atomic_dec_32(&hat_unflushed);
	stale = peek((const void *)VA, &c, 1);
	htable_release(ht);
	hat_setup(NULL);
	check_true(!stale, "0x%lx is reached through a stale translation", (ulong_t)VA);
	page_free(pp, 1);
}

/* Pages far apart, in different groups and at both ends of one: each is found, none twice. */
CHECK(groups_found, "groups-found", NULL, 0, 0, NULL, 0)
{
	uint_t group = 1u << MMU_GROUP_SHIFT, last = mmu.ptes_per_table - 1;
	uint_t slots[] = { 0, group - 1, group, 3 * group + 1, last - group, last };
	uintptr_t va = VA;
	htable_t *ht = NULL;
	uint_t run, i = 0;

	for (i = 0; i < NELEM(slots); i++)
		hat_devload(hat, VA + slots[i] * PAGESIZE, PAGESIZE, 0x80001, RW, HAT_LOAD_NOCONSIST);
	for (i = 0; htable_walk(hat, &ht, &va, VA + LEVEL_SIZE(1)) != 0; i += run, va += run * PAGESIZE) {
		run = htable_run(ht, va, VA + LEVEL_SIZE(1));
		check_true(i < NELEM(slots) && va == VA + slots[i] * PAGESIZE, "found 0x%lx as number %u", (ulong_t)va, i);
		check_eq(run, i == 1 ? 2 : 1, "adjacent pages");
		if (va + run * PAGESIZE == VA + LEVEL_SIZE(1))
			break;
	}
	htable_release(ht);
	check_eq(i, NELEM(slots) - 1, "pages found before the last");
	hat_unload(hat, VA, LEVEL_SIZE(1), HAT_UNLOAD);
}
