/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What neither histories nor kernels come to: devices beside memory, leaves that change between two looks, memory refused at
 *        one place, ends of the address space.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/races.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <x86/features.h>
#include <memmap.h>

#define LARGE   LEVEL_SIZE(1)
#define NLARGE  ((uint_t)(LARGE >> PAGESHIFT))
#define FRAMES  ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */
#define LOW_END ((pfn_t)0x9f)                  /* nor from here to 1 MiB (boot.c) */
#define OTHER   (VA + 8 * LARGE)
#define READ    (PROT_READ | PROT_USER)

/** The leaf or whatever else is at va. */
static x86pte_t
entry_at(hat_t *hat, uintptr_t va)
{
	x86pte_t pte;
	htable_t *ht = htable_getpte(hat, va, NULL, &pte, mmu.umax_page_level);

	htable_release(ht);
	return (pte);
}

/** Change it by hand, and nothing else. */
static void
put_entry(hat_t *hat, uintptr_t va, x86pte_t pte)
{
	uint_t i;
	htable_t *ht = htable_getpte(hat, va, &i, NULL, 0);

	pte_store(x86pte_access_pagetable(ht, i), pte);
	x86pte_release_pagetable(ht);
	htable_release(ht);
}

static void
expect_frames(hat_t *hat, uintptr_t va, pfn_t pfn, uint_t n, const char *what)
{
	for (uint_t i = 0; i < n; i++)
		expect(hat_getpfnum(hat, va + i * PAGESIZE) == pfn + i, "%s: page %u leads to frame 0x%lx, not 0x%lx", what, i,
		    hat_getpfnum(hat, va + i * PAGESIZE), pfn + i);
}

/* ------------------------------------------------------------------ devices, and memory loaded like one */

/** Runs that meet what is there; a large page that does not fit. */
static void
in_the_way(hat_t *hat)
{
	for (uint_t there = 0; there < 4; there += 2) {
		hat_devload(hat, VA + there * PAGESIZE, PAGESIZE, FRAMES + there, RW, HAT_LOAD);
		hat_devload(hat, VA, 4 * PAGESIZE, FRAMES, RW, HAT_LOAD);
		expect_frames(hat, VA, FRAMES, 4, "a run over a page that is there");
		hat_unload(hat, VA, 4 * PAGESIZE, HAT_UNLOAD);
	}
	if (mmu.umax_page_level < 1)
		return;
	hat_devload(hat, VA + PAGESIZE, PAGESIZE, FRAMES + 1, RW, HAT_LOAD);
	hat_devload(hat, VA, LARGE, FRAMES, RW, HAT_LOAD);
	expect(hat_getpagesize(hat, VA) == PAGESIZE, "a large page where a table is");
	expect_frames(hat, VA, FRAMES, NLARGE, "a large page where a table is");
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
}

/** Caching bits of both sizes of pages, on a CPU that has the page attribute table and on one that has not. */
static void
write_combining_bits(hat_t *hat)
{
	bool had = x86_features.pat;

	rob_all();
	for (uint_t pat = 0; pat < 2; pat++)
		for (level_t l = MIN(mmu.umax_page_level, 1); l >= 0; l--) {
			x86pte_t want = PT_NOCACHE | (!pat ? PT_WRITETHRU : l == 0 ? PT_PAT_4K : PT_PAT_LARGE), pte;

			x86_features.pat = pat;
			hat_devload(hat, VA, LEVEL_SIZE(l), FRAMES, RW | HAT_MERGING_OK, HAT_LOAD);
			pte = entry_at(hat, VA);
			expect(hat_getpagesize(hat, VA) == (long)LEVEL_SIZE(l) &&
				(pte & (PT_NOCACHE | PT_WRITETHRU | (l == 0 ? PT_PAT_4K : PT_PAT_LARGE))) == want,
			    "level %d, pat %u: 0x%llx", l, pat, (unsigned long long)pte);
			hat_unload(hat, VA, LEVEL_SIZE(l), HAT_UNLOAD);
			rob_all();
		}
	x86_features.pat = had;
}

/** Memory is cached whatever order one asks for, unless one insists; and it is recorded, unless one asks for that not to be. */
static void
memory_by_frame(hat_t *hat)
{
	static const struct {
		uint_t attr, flags;
		bool uncached, recorded;
	} ways[] = {
		{ HAT_STRICTORDER, HAT_LOAD_NOCONSIST, false, false },
		{ HAT_PLAT_NOCACHE, HAT_LOAD_NOCONSIST, true, false },
		{ HAT_STRICTORDER, HAT_LOAD, false, true },
		{ HAT_PLAT_NOCACHE, HAT_LOAD, true, true },
	};
	page_t *two = page_get_large(PAGE_USER, 2);

	for (uint_t w = 0; w < NELEM(ways); w++) {
		hat_devload(hat, VA, 2 * PAGESIZE, two->p_pagenum, RW | ways[w].attr, ways[w].flags);
		expect_frames(hat, VA, two->p_pagenum, 2, "memory");
		for (uint_t i = 0; i < 2; i++)
			expect(((entry_at(hat, VA + i * PAGESIZE) & PT_NOCACHE) != 0) == ways[w].uncached &&
				hat_page_getshare(two + i) == ways[w].recorded,
			    "way %u, page %u: 0x%llx, recorded %u times", w, i,
			    (unsigned long long)entry_at(hat, VA + i * PAGESIZE), hat_page_getshare(two + i));
		hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
	}
	page_free(two, 1);
	page_free(two + 1, 1);
}

/** Across the end of memory: each side is loaded as what it is. */
static void
memory_and_devices(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL); /* so that no free page is wanted meanwhile */
	page_t *last = page_numtopp_nolock(LOW_END - 1);
	uint8_t state[2] = { (last - 1)->p_state, last->p_state };

	expect(last != NULL && page_numtopp_nolock(LOW_END) == NULL, "memory does not end at frame 0x%lx", LOW_END);
	(last - 1)->p_state = last->p_state = PAGE_KERNEL;
	hat_devload(hat, VA, 4 * PAGESIZE, LOW_END - 2, RW | HAT_STRICTORDER, HAT_LOAD_NOCONSIST);
	expect_frames(hat, VA, LOW_END - 2, 4, "across the end of memory");
	for (uint_t i = 0; i < 4; i++)
		expect(((entry_at(hat, VA + i * PAGESIZE) & PT_NOCACHE) != 0) == (i >= 2), "page %u: 0x%llx", i,
		    (unsigned long long)entry_at(hat, VA + i * PAGESIZE));
	hat_unload(hat, VA, 4 * PAGESIZE, HAT_UNLOAD);
	(last - 1)->p_state = state[0];
	last->p_state = state[1];
	htable_release(ht);
}

/** Frames without a page, inside a large leaf, have nobody to remember accessed and dirty. */
static void
collect_over_the_hole(void)
{
	hati_sync_pte(MAKEPTE(0, 1) | PT_REF | PT_MOD, 1);
	hati_sync_pte(MAKEPTE(0, 1) | PT_REF | PT_MOD, 1); /* known already */
	for (pfn_t pfn = 0; pfn < NLARGE; pfn++) {
		page_t *pp = page_numtopp_nolock(pfn);

		if (pp == NULL)
			continue;
		expect((pp->p_nrm & (P_REF | P_MOD)) == (P_REF | P_MOD), "frame 0x%lx: bits 0x%x", pfn, pp->p_nrm);
		pp->p_nrm = 0;
	}
}

/* ------------------------------------------------------------------ leaves that change between two looks */

static uintptr_t offset; /* of the entry in its table */
static x86pte_t instead;
static uint_t came;

/** The first time that the entry is read with its page's list locked it has just become another one. */
static void
changed_under_lock(volatile void *p)
{
	const kthread_t *me = curthread;

	if (((uintptr_t)p & PAGEOFFSET) != offset || me->t_nlocks == 0 || hment_lock_kind(me->t_locks[0]) != HMENT_LIST_LOCK)
		return;
	host_before_load = NULL;
	pte_store((void *)(uintptr_t)p, instead);
	came++;
}

static page_t *second;
static bool right_list;

static void
which_list(volatile void *p)
{
	(void)p;
	right_list = x86_hm_held(second) && !x86_hm_held(page);
}

/** What is found under the lock counts: nothing any more, another page (whose list is another one), or what was wanted. */
static void
protect_races(hat_t *hat)
{
	second = page_get(PAGE_USER);
	for (uint_t what = 0; what < 3; what++) {
		uintptr_t va = VA + 6 * PAGESIZE;
		x86pte_t pte, now;

		hat_memload(hat, va, page, RW, HAT_LOAD);
		pte = entry_at(hat, va);
		instead = what == 0 ? 0 :
		    what == 1       ? (pte & ~PT_PADDR) | (x86pte_t)second->p_pagenum << PAGESHIFT :
				      pte & ~PT_WRITABLE;
		offset = (uintptr_t)6 << mmu.pte_size_shift;
		came = 0;
		host_before_load = changed_under_lock;
		right_list = false;
		host_before_cas = which_list;
		hat_chgprot(hat, va, PAGESIZE, READ);
		now = entry_at(hat, va);
		expect(came == 1 && now == (what == 0 ? 0 : instead & ~PT_WRITABLE), "case %u: the entry was 0x%llx, is 0x%llx",
		    what, (unsigned long long)instead, (unsigned long long)now);
		host_before_cas = NULL;
		expect(right_list == (what == 1), "case %u: changed with another page's list locked", what);
		put_entry(hat, va, pte);
		hat_unload(hat, va, PAGESIZE, HAT_UNLOAD);
	}
	page_free(second, 1);
}

static void
other_frame(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, instead);
	came++;
}

/** Locked pages that no list knows, unloaded as a range: another frame is there when the entry is cleared. It goes too. */
static void
unload_race(hat_t *hat)
{
	hat_devload(hat, VA, 2 * PAGESIZE, FRAMES, RW, HAT_LOAD_LOCK);
	instead = entry_at(hat, VA) + 9 * PAGESIZE;
	came = 0;
	host_before_cas = other_frame;
	hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD_UNLOCK);
	expect(came == 1 && !hat_probe(hat, VA) && !hat_probe(hat, VA + PAGESIZE), "what came instead is still there");
}

static void
use_it(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, pte_load(p) | PT_REF | PT_MOD);
	came++;
}

/** An entry is taken with all bits that it had, and only if it is for that frame. */
static void
take_races(void)
{
	uint64_t entry = 0;
	x86pte_t pte = MAKEPTE(page->p_pagenum, 0) | PT_WRITABLE, other = MAKEPTE(page->p_pagenum + 1, 0);

	pte_store(&entry, pte);
	expect(pte_take(&entry, other) == pte && pte_load(&entry) == pte, "another frame's entry is taken");
	came = 0;
	host_before_cas = use_it;
	expect(
	    pte_take(&entry, pte) == (pte | PT_REF | PT_MOD) && came == 1 && pte_load(&entry) == 0, "accessed and dirty are lost");
}

static htable_t *emptied;

static void
vanish(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, 0);
	atomic_dec_int(&emptied->ht_valid_cnt);
	atomic_add_long(&kas_hat->hat_pages_mapped[0], -1);
	came++;
}

/** What boot has mapped goes up to where one says; what goes at the same moment is not counted twice. */
static void
boot_mappings(void)
{
	for (uint_t race = 0; race < 2; race++) {
		ulong_t pages = kas_hat->hat_pages_mapped[0];

		hat_devload(kas_hat, VA, 3 * PAGESIZE, FRAMES, PROT_READ, HAT_LOAD_NOCONSIST);
		emptied = htable_lookup(kas_hat, VA, 0);
		came = 0;
		host_before_cas = race ? vanish : NULL;
		clear_boot_mappings(VA, VA + 2 * PAGESIZE);
		expect(came == race && !hat_probe(kas_hat, VA) && !hat_probe(kas_hat, VA + PAGESIZE) &&
			hat_probe(kas_hat, VA + 2 * PAGESIZE),
		    "the wrong pages are unmapped");
		hat_unload(kas_hat, VA + 2 * PAGESIZE, PAGESIZE, HAT_UNLOAD);
		expect(emptied->ht_valid_cnt == 0 && kas_hat->hat_pages_mapped[0] == pages, "%d entries in the table",
		    emptied->ht_valid_cnt);
		htable_release(emptied);
	}
}

/* ------------------------------------------------------------------ ends of the address space */

static void
last_pages(void)
{
	uintptr_t last = -(uintptr_t)PAGESIZE;
	hat_t *hat = hat_alloc(&wide);

	hat_devload(kas_hat, last - PAGESIZE, 2 * PAGESIZE, FRAMES, PROT_READ, HAT_LOAD_NOCONSIST);
	hat_sync(kas_hat, last - PAGESIZE, 2 * PAGESIZE, HAT_SYNC_ZERORM);
	expect_frames(kas_hat, last - PAGESIZE, FRAMES, 2, "the last two pages");
	hat_unload(kas_hat, last - PAGESIZE, 2 * PAGESIZE, HAT_UNLOAD);
	expect(!hat_probe(kas_hat, last) && !hat_probe(kas_hat, last - PAGESIZE), "the last two pages are still there");
	hat_memload(hat, hat_user_end(hat) - PAGESIZE, page, RW, HAT_LOAD);
	hat_swapout(hat);
	expect(!hat_probe(hat, hat_user_end(hat) - PAGESIZE), "a user's last page is not swapped out");
	host_free_space(hat);
}

/* ------------------------------------------------------------------ tables */

/** A private table that appeared just now is given as it is (C-42); one that shares from there already, again. */
static void
create_shared(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);
	htable_t *source, *first, *again;

	hat_memload(src, VA, page, RW, HAT_LOAD_SHARE);
	source = htable_lookup(src, VA, 0);
	first = htable_create(hat, OTHER, 0, NULL);
	again = htable_create(hat, OTHER, 0, source);
	expect(again == first && first->ht_shares == NULL, "a private table became a shared one");
	htable_release(again);
	htable_release(first);
	first = htable_create(hat, VA, 0, source);
	again = htable_create(hat, VA, 0, source);
	expect(again == first && first->ht_shares == source && first->ht_pfn == source->ht_pfn,
	    "two tables show one source at one place");
	htable_release(again);
	htable_release(first);
	host_free_space(hat);
	htable_release(source);
	hat_unload(src, VA, PAGESIZE, HAT_UNLOAD);
	host_free_space(src);
}

static void
gone(volatile void *p)
{
	if (((uintptr_t)p & PAGEOFFSET) != offset)
		return;
	host_before_load = NULL;
	pte_store((void *)(uintptr_t)p, 0);
	came++;
}

/** Adjacent leaves are found together, large ones too; where there are none, none; and one that has just gone is not there. */
static void
runs(hat_t *hat)
{
	level_t l = MIN(mmu.umax_page_level, 1);
	uintptr_t va = VA;
	htable_t *ht = NULL;
	x86pte_t pte, was;
	uint_t n;

	rob_all();
	hat_devload(hat, VA, 3 * LEVEL_SIZE(l), FRAMES, RW, HAT_LOAD);
	if (l == 1)
		hat_devload(hat, VA + 3 * LARGE, PAGESIZE, FRAMES, RW, HAT_LOAD); /* a link is not one more */
	expect(htable_walk(hat, &ht, &va, VA + 4 * LEVEL_SIZE(l)) != 0 && va == VA, "the first page at 0x%lx", va);
	n = htable_run(ht, va, VA + 4 * LEVEL_SIZE(l));
	expect(n == 3, "a run of %u", n);
	n = htable_run(ht, va, VA + 2 * LEVEL_SIZE(l));
	expect(n == 2, "a run of %u before the end of the range", n);
	htable_release(ht);
	hat_unload(hat, VA, 3 * LEVEL_SIZE(l), HAT_UNLOAD);
	hat_unload(hat, VA + 3 * LARGE, PAGESIZE, HAT_UNLOAD);
	hat_devload(hat, VA + 5 * PAGESIZE, PAGESIZE, FRAMES, RW, HAT_LOAD);
	was = entry_at(hat, VA + 5 * PAGESIZE);
	ht = htable_lookup(hat, VA, 0);
	offset = (uintptr_t)5 << mmu.pte_size_shift;
	came = 0;
	host_before_load = gone;
	expect(htable_next_valid(ht, 0, 10, &pte) == 10 && pte == 0 && came == 1, "an entry that has gone is found");
	htable_release(ht);
	put_entry(hat, VA + 5 * PAGESIZE, was);
	hat_unload(hat, VA + 5 * PAGESIZE, PAGESIZE, HAT_UNLOAD);
}

/* ------------------------------------------------------------------ chains */

static hat_t *crowded;

static void
grow_first(void)
{
	htable_chains_grow(crowded, 0);
}

/** Chains are doubled once for two who want it, not by those who live on the reserves, and stay as they are if there is no memory. */
static void
chains(hat_t *hat)
{
	struct hat_chains *hc = &hat->hat_chains[0], *kernel = &kas_hat->hat_chains[0];
	uint32_t mask;
	htable_t *t[64];

	for (uint_t i = 0; i < NELEM(t); i++)
		t[i] = htable_create(hat, VA + i * LARGE, 0, NULL);
	mask = hc->hc_mask;
	hc->hc_count += 1000;
	curthread->t_hatdepth = 2;
	htable_chains_grow(hat, 0);
	curthread->t_hatdepth = 0;
	host_refuse = 1;
	htable_chains_grow(hat, 0);
	expect(host_refuse == 0 && hc->hc_mask == mask, "%u chains without memory for them", hc->hc_mask + 1);
	crowded = hat;
	host_before_which = &hc->hc_lock;
	host_before_lock = grow_first;
	htable_chains_grow(hat, 0);
	expect(host_before_lock == NULL && hc->hc_mask == 2 * mask + 1, "%u chains became %u", mask + 1, hc->hc_mask + 1);
	hc->hc_count -= 1000;
	for (uint_t i = 0; i < NELEM(t); i++) {
		htable_t *ht = htable_lookup(hat, VA + i * LARGE, 0);

		expect(ht == t[i], "table %u is lost", i);
		htable_release(ht);
		htable_release(ht);
	}
	mask = kernel->hc_mask;
	kernel->hc_count += 1000;
	htable_chains_grow_kernel();
	kernel->hc_count -= 1000;
	expect(kernel->hc_mask == 16 * mask + 15, "%u chains of the kernel's became %u", mask + 1, kernel->hc_mask + 1);
}

/* ------------------------------------------------------------------ records */

static void
free_records(hment_t *hm)
{
	for (hment_t *next; hm != NULL; hm = next) {
		next = hm->hm_next;
		kmem_cache_free(hment_cache, hm);
	}
}

/** No memory and no reserve: one waits for the reaper, and then fills the reserve too. */
static void
record_refused(hat_t *hat)
{
	hment_t *pool = hment_reserve_pool;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	hat_devload(hat, OTHER + PAGESIZE, PAGESIZE, FRAMES, RW, HAT_LOAD_LOCK); /* a table that stays */
	hment_reserve_pool = NULL;
	hment_reserve_cnt = 0;
	host_refuse = 1;
	hat_memload(hat, OTHER, page, RW, HAT_LOAD);
	expect(host_refuse == 0 && hat_getpfnum(hat, OTHER) == page->p_pagenum, "no mapping");
	expect(hment_reserve_cnt == hment_reserve_amount, "%u records in the reserve", hment_reserve_cnt);
	free_records(pool);
	hat_unload(hat, OTHER, PAGESIZE, HAT_UNLOAD);
	hat_unload(hat, OTHER + PAGESIZE, PAGESIZE, HAT_UNLOAD_UNLOCK);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

static void
become_entitled(void)
{
	curthread->t_hatdepth = 3; /* one is taken off when the call ends */
}

/** The allocator has re-entered the HAT: what one has then one keeps. And a reserve that is emptied while it is trimmed. */
static void
record_reserve(hat_t *hat)
{
	uint64_t amount = hment_reserve_amount;
	hment_t *pool = hment_reserve_pool;
	uint_t cnt = hment_reserve_cnt;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	hat_devload(hat, OTHER + PAGESIZE, PAGESIZE, FRAMES, RW, HAT_LOAD);
	hment_reserve_amount = cnt + 3; /* or it would be filled first */
	host_before_object = become_entitled;
	hat_memload(hat, OTHER, page, RW, HAT_LOAD);
	expect(host_before_object == NULL && hat_page_getshare(page) == 2, "%u mappings", hat_page_getshare(page));
	expect(
	    hment_reserve_cnt + 1 == cnt, "%u records in the reserve, which had %u, for the second object", hment_reserve_cnt, cnt);
	curthread->t_hatdepth = 0;
	hat_unload(hat, OTHER, 2 * PAGESIZE, HAT_UNLOAD);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	pool = hment_reserve_pool;
	cnt = hment_reserve_cnt;
	hment_reserve_pool = NULL;
	hment_reserve_cnt = (uint_t)amount + 5;
	hment_reserve_amount = amount;
	hment_adjust_reserve();
	expect(hment_reserve_cnt == amount + 5, "records out of nothing");
	hment_reserve_pool = pool;
	hment_reserve_cnt = cnt;
	hment_adjust_reserve();
}

/**
 * Two entries of one table in one bucket of the hash, which only tables of 1024 entries have: each finds its own record.
 */
static void
record_bucket(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	uint_t n = mmu.ptes_per_table, a = 0, b = n;

	for (; a < n && b == n; a++)
		for (b = a + 1; b < n && hment_hash(ht->ht_pfn, a) != hment_hash(ht->ht_pfn, b); b++)
			continue;
	expect((b == n) == (n == 512), "entries %u and %u of %u are in one bucket", a, b, n);
	if (b < n) {
		uintptr_t first = VA + --a * PAGESIZE, second = VA + b * PAGESIZE;

		hat_memload(hat, OTHER, page, RW, HAT_LOAD);
		hat_memload(hat, first, page, RW, HAT_LOAD);
		hat_memload(hat, second, page, RW, HAT_LOAD);
		hat_unload(hat, first, PAGESIZE, HAT_UNLOAD);
		expect(!hat_probe(hat, first) && hat_page_getshare(page) == 2, "%u mappings are left", hat_page_getshare(page));
		(void)hat_pageunload(page, HAT_FORCE_PGUNLOAD);
		expect(!hat_probe(hat, second) && !hat_probe(hat, OTHER), "a mapping that the page did not know");
	}
	htable_release(ht);
}

/* ------------------------------------------------------------------ address spaces, pages */

static uint_t yields;

static void
guest_leaves(void)
{
	if (host_yields == yields)
		return;
	host_between = NULL;
	crowded->hat_guests = 0;
}

/** Somebody is still in a table of an address space that ends. */
static void
last_guest(void)
{
	crowded = hat_alloc(&wide);
	hat_free_start(crowded);
	crowded->hat_guests = 1;
	yields = host_yields;
	host_between = guest_leaves;
	hat_free_end(crowded);
	expect(host_between == NULL, "nobody waited for the guest");
	host_between = NULL;
}

static bool
is_private(uintptr_t va)
{
	htable_t *ht = htable_lookup(kas_hat, va, 0);
	bool private = hat_is_private_slot(ht, htable_va2entry(va, ht));

	htable_release(ht);
	return (private);
}

/** Slots that CPUs store to by themselves: reserved ones, the checker's window, the page windows; nothing else. */
static void
private_slots(void)
{
	uintptr_t slot = HEAP_BASE + 80 * LARGE, windows = WINDOW_VA(WINDOW_PWIN);
	htable_t *ht = htable_create(kas_hat, slot, 0, NULL);

	hat_mempte_va[1] = slot; /* as hat_mempte_setup() does */
	expect(is_private(slot) && !is_private(slot + PAGESIZE), "a reserved slot");
	hat_mempte_va[1] = 0;
	expect(!is_private(slot), "a slot that is not reserved any more");
	htable_release(ht);
	ht = htable_create(kas_hat, 0, 0, NULL);
	expect(!is_private(0), "address 0, which places for slots that nobody has reserved have");
	htable_release(ht);
	expect(is_private(WINDOW_VA(WINDOW_CHECK)) && is_private(windows) && is_private(windows + (2 * NCPU - 1) * PAGESIZE),
	    "windows");
	expect(!is_private(windows - PAGESIZE) && !is_private(windows + 2 * NCPU * PAGESIZE), "the pages around the page windows");
	ht = htable_lookup(kas_hat, WINDOW_BASE, 1);
	expect(!hat_is_private_slot(ht, 0), "a slot of a directory");
	htable_release(ht);
}

/** Everybody who must not allocate. */
static void
who_has_reserves(void)
{
	expect(!use_hat_reserves(), "everybody lives on the reserves");
	use_boot_reserve = 1;
	expect(use_hat_reserves(), "boot does not live on the reserves");
	use_boot_reserve = 0;
	host_populates = true;
	expect(use_hat_reserves(), "who fills an arena does not live on the reserves");
	host_populates = false;
}

/** The list of a page is not locked unless somebody does it. */
static void
list_locks_held(void)
{
	expect(!x86_hm_held(page), "the list is locked");
	x86_hm_enter(page);
	expect(x86_hm_held(page), "the list is not locked");
	x86_hm_exit(page);
}

static uint8_t codes[HOST_RAM >> PAGESHIFT];

/** A page leaves a group of 1 GiB, of which only a part is memory here: its 2 MiB become small pages, the others stay groups. */
static void
demote_huge(void)
{
	pfn_t own = ROUNDDOWN(page->p_pagenum, (pfn_t)NLARGE);

	if (mmu.umax_page_level < 2)
		return;
	for (page_t *pp = page_next(NULL); pp != NULL; pp = page_next(pp)) {
		codes[pp->p_pagenum] = pp->p_szc;
		pp->p_szc = 2;
	}
	hat_page_demote(page);
	for (page_t *pp = page_next(NULL); pp != NULL; pp = page_next(pp)) {
		bool left = pp->p_pagenum >= own && pp->p_pagenum < own + NLARGE;

		expect(pp->p_szc == (left ? 0 : 1), "frame 0x%lx has size code %u", pp->p_pagenum, pp->p_szc);
		pp->p_szc = codes[pp->p_pagenum];
	}
}

void
rare_run(hat_t *hat)
{
	in_the_way(hat);
	write_combining_bits(hat);
	memory_by_frame(hat);
	memory_and_devices(hat);
	collect_over_the_hole();
	protect_races(hat);
	unload_race(hat);
	take_races();
	boot_mappings();
	last_pages();
	create_shared();
	runs(hat);
	chains(hat);
	record_refused(hat);
	record_reserve(hat);
	record_bucket(hat);
	last_guest();
	private_slots();
	who_has_reserves();
	list_locks_held();
	demote_huge();
}
