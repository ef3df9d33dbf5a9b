/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What makes ranges cheap, and must not make them wrong: chains that grow, one flush for a table, groups that are passed over.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/page.h>

#define VA      ((uintptr_t)0x40000000)
#define RW      (PROT_READ | PROT_WRITE)
#define NTABLES 200u

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

/* C-16. 200 tables on 16 chains would be 12 on one of them at least; and a secret that puts many of them on one is not taken. */
CHECK(chains_grow, "chains-grow", NULL, 0, 0, NULL, 0)
{
	for (uint_t i = 0; i < NTABLES; i++)
		hat_devload(hat, VA + i * LEVEL_SIZE(1), PAGESIZE, 0x80001, RW, HAT_LOAD_NOCONSIST);
	check_true(htable_nbuckets(hat) >= NTABLES / 2, "%u chains for %u tables", htable_nbuckets(hat), NTABLES);
	check_true(longest_chain(hat) <= 10, "%u tables on one chain, of %u", longest_chain(hat), NTABLES);
	for (uint_t i = 0; i < NTABLES; i++)
		check_true(hat_probe(hat, VA + i * LEVEL_SIZE(1)), "table %u of %u is not found any more", i, NTABLES);
	hat_unload(hat, VA, NTABLES * LEVEL_SIZE(1), HAT_UNLOAD);
}

#ifdef DEBUG /* flushes are counted there only */
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
	check_eq(hat_page_getshare(pp), 2, "mappings of the page that are left"); /* 0 and 39 are not recorded */
	hat_unload(hat, VA, 40 * PAGESIZE, HAT_UNLOAD);
	page_free(pp, 1);
}
#endif

/* 16 pages in each: with other low bits than what the kernel touches often, which would push them out of Bochs' TLB. */
static uintptr_t
in_three_tables(uint_t i)
{
	return (VA + i / 16 * LEVEL_SIZE(1) + (7 + i % 16) * PAGESIZE);
}

/* C-17: a range that covers whole tables: each is cut off with one flush, and nothing of it can be reached afterwards. */
CHECK(unload_whole, "unload-whole", NULL, 0, 0, NULL, 0)
{
	page_t *pp = get_page();
	ulong_t flushes;
	uint_t stale = 0;
	char c;

	for (uint_t i = 0; i < 48; i++)
		hat_memload(hat, in_three_tables(i), pp, RW, i % 3 == 0 ? HAT_LOAD_NOCONSIST : HAT_LOAD);
	hat_setup(hat);
	kpreempt_disable(); /* another thread would bring other tables, and the TLB would be empty */
	for (uint_t i = 0; i < 48; i++)
		*(volatile char *)in_three_tables(i) = 1;
	flushes = hatstat.hs_tlb_invals; /* stays 0 where nobody counts */
	hat_unload(hat, VA, 3 * LEVEL_SIZE(1), HAT_UNLOAD);
	flushes = hatstat.hs_tlb_invals - flushes;
	for (uint_t i = 0; i < 48; i++)
		stale += peek((const void *)in_three_tables(i), &c, 1);
	kpreempt_enable();
	hat_setup(NULL);
	check_eq(stale, 0, "pages of the range that can still be reached");
	check_true(flushes <= 4, "%lu flushes for 3 tables and perhaps the one above", flushes);
	check_eq(hat_page_getshare(pp), 0, "mappings of the page that are left");
	check_true((pp->p_nrm & P_MOD) != 0, "that the page was written to was lost");
	page_free(pp, 1);
}

static void
use_spaces(void)
{
	hat_t *hats[8];

	for (uint_t i = 0; i < NELEM(hats); i++) {
		hats[i] = hat_alloc(NULL);
		hat_devload(hats[i], VA, PAGESIZE, 0x80001, RW, HAT_LOAD_NOCONSIST);
	}
	for (uint_t i = 0; i < NELEM(hats); i++) {
		hat_free_start(hats[i]);
		hat_free_end(hats[i]);
	}
}

/* Tables are handed on from one address space to the next: clean, bounded, and only as long as there is memory. */
CHECK(tables_kept, "tables-kept", NULL, 0, 0, NULL, 0)
{
	ulong_t throttle = throttlefree;
	uint32_t none, some;

	(void)hat;
	htable_keep_none(NULL);
	none = active_ptables;
	use_spaces();
	some = active_ptables - none;
	check_true(some > 0 && some <= 8, "%u tables are kept", some);
	use_spaces();
	check_eq(active_ptables - none, some, "tables that are kept the second time");
	check_eq(check_invariants(), 0, "broken invariants");
	kmem_reap_sync();
	check_true(active_ptables <= none, "%u more tables than before after kmem_reap_sync()", active_ptables - none);
	none = active_ptables;
	throttlefree = freemem / 2 + 1; /* enough to go on, too little to keep any */
	use_spaces();
	throttlefree = throttle;
	check_eq(active_ptables, none, "tables that are kept although memory is short");
}

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
	atomic_inc_32(&hat_unflushed); /* as in the middle of unload_table() */
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
