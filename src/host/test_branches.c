/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Branches that only a race takes, or a refusal at one place: something happens between two steps of a function.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>

#define BITS (PT_REF | PT_MOD)

struct as wide, narrow = { .a_32bit = true };
page_t *page;

/* ------------------------------------------------------------------ entries that change before the exchange */

static uint_t bits_came;

static void
set_bits(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, pte_load(p) | BITS);
	bits_came++;
}

static void
set_ref(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, pte_load(p) | PT_REF);
	bits_came++;
}

/** Not before the first exchange, which expects nothing there, but before the next one. */
static void
set_bits_later(volatile void *p)
{
	(void)p;
	host_before_cas = set_bits;
}

/** The leaf at VA, clean, and its table, held. */
static htable_t *
clean_leaf(hat_t *hat, uint_t *entryp)
{
	htable_t *ht;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	ht = htable_getpage(hat, VA, entryp);
	expect(ht != NULL && ht->ht_level == 0, "no leaf of level 0 at 0x%lx", VA);
	pte_store(x86pte_access_pagetable(ht, *entryp), MAKEPTE(page->p_pagenum, 0) | PT_WRITABLE | PT_USER | mmu.pt_nx);
	x86pte_release_pagetable(ht);
	bits_came = 0;
	return (ht);
}

static void
drop_leaf(hat_t *hat, htable_t *ht)
{
	htable_release(ht);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

/** The MMU notes an access before an exchange: it is in what comes back, and in the new leaf of the same frame. */
static void
set_race(hat_t *hat, bool own_pointer, bool later)
{
	uint_t i;
	htable_t *ht = clean_leaf(hat, &i);
	x86pte_t new = x86pte_get(ht, i) & ~PT_WRITABLE, old;
	void *p = own_pointer ? x86pte_access_pagetable(ht, i) : NULL;

	host_before_cas = later ? set_bits_later : set_bits;
	old = x86pte_set(ht, i, new, p);
	if (own_pointer)
		x86pte_release_pagetable(ht);
	expect(bits_came == 1 && (old & BITS) == BITS, "x86pte_set: accessed and dirty were lost: 0x%llx", (unsigned long long)old);
	expect(x86pte_get(ht, i) == (new | BITS), "x86pte_set: the entry is 0x%llx", (unsigned long long)x86pte_get(ht, i));
	drop_leaf(hat, ht);
}

/** An entry that is not valid inherits nothing. */
static void
set_invalid(hat_t *hat)
{
	uint_t i;
	htable_t *ht = clean_leaf(hat, &i);
	x86pte_t was = x86pte_get(ht, i) | BITS, none = MAKEPTE(page->p_pagenum, 0) & ~PT_VALID;

	(void)x86pte_set(ht, i, was, NULL);
	expect(x86pte_set(ht, i, none, NULL) == was && x86pte_get(ht, i) == none, "x86pte_set: an invalid entry became 0x%llx",
	    (unsigned long long)x86pte_get(ht, i));
	(void)x86pte_set(ht, i, was, NULL);
	drop_leaf(hat, ht);
}

static void
inval_race(hat_t *hat, bool own_pointer)
{
	uint_t i;
	htable_t *ht = clean_leaf(hat, &i);
	x86pte_t was = x86pte_get(ht, i), other = MAKEPTE(page->p_pagenum + 1, 0), old;
	void *p = own_pointer ? x86pte_access_pagetable(ht, i) : NULL;

	old = x86pte_inval(ht, i, other, p);
	if (own_pointer)
		x86pte_release_pagetable(ht);
	expect(old == was && x86pte_get(ht, i) == was, "x86pte_inval: another frame's entry was cleared: 0x%llx",
	    (unsigned long long)old);
	p = own_pointer ? x86pte_access_pagetable(ht, i) : NULL;
	host_before_cas = set_bits;
	old = x86pte_inval(ht, i, was, p);
	if (own_pointer)
		x86pte_release_pagetable(ht);
	expect(
	    bits_came == 1 && old == (was | BITS), "x86pte_inval: accessed and dirty were lost: 0x%llx", (unsigned long long)old);
	(void)x86pte_set(ht, i, was, NULL);
	drop_leaf(hat, ht);
}

static void
update_race(hat_t *hat)
{
	uint_t i;
	htable_t *ht = clean_leaf(hat, &i);
	x86pte_t was = x86pte_get(ht, i), new = was & ~PT_WRITABLE, found;

	host_before_cas = set_ref;
	found = x86pte_update(ht, i, was, new);
	expect(found == (was | PT_REF) && x86pte_get(ht, i) == found, "x86pte_update: found 0x%llx", (unsigned long long)found);
	expect(x86pte_update(ht, i, found, new) == found && x86pte_get(ht, i) == new, "x86pte_update: the entry is 0x%llx",
	    (unsigned long long)x86pte_get(ht, i));
	drop_leaf(hat, ht);
}

static void
one_lost_write(x86pte_t expected, x86pte_t new, x86pte_t there, x86pte_t want, x86pte_t left)
{
	uint64_t entry = 0;
	x86pte_t seen;

	pte_store(&entry, there);
	seen = pte_lost_write(&entry, expected, new);
	expect(seen == want && pte_load(&entry) == left, "pte_lost_write(0x%llx, 0x%llx) on 0x%llx: 0x%llx, the entry is 0x%llx",
	    (unsigned long long)expected, (unsigned long long)new, (unsigned long long)there, (unsigned long long)seen,
	    (unsigned long long)pte_load(&entry));
}

/** Every reason to do nothing, and the repair, alone and in a race. */
static void
lost_write(void)
{
	x86pte_t ro = MAKEPTE(page->p_pagenum, 0), rw = ro | PT_WRITABLE;

	one_lost_write(ro, ro, ro | PT_MOD, ro, ro | PT_MOD);
	one_lost_write(rw | PT_MOD, ro, ro | PT_MOD, rw | PT_MOD, ro | PT_MOD);
	one_lost_write(rw, rw, rw | PT_MOD, rw, rw | PT_MOD);
	one_lost_write(rw, ro | PT_MOD, ro | PT_MOD, rw, ro | PT_MOD);
	one_lost_write(rw, ro, ro, rw, ro);
	one_lost_write(rw, ro, ro | PT_MOD, rw | PT_MOD, rw | PT_MOD);
	one_lost_write(rw, ro, rw | PT_MOD, rw | PT_MOD, rw | PT_MOD);
	host_before_cas = set_ref;
	one_lost_write(rw, ro, ro | PT_MOD, rw | BITS, rw | BITS);
}

/** C-37: the MMU writes into the CPU's own copy of a top table just when it is exchanged. */
static void
vlp_race(void)
{
	hat_t *hat = hat_alloc(&narrow);

	if (hat->hat_flags & HAT_VLP) {
		hat_memload(hat, VA, page, RW, HAT_LOAD);
		bits_came = 0;
		host_before_cas = set_ref;
		hat_setup(hat);
		expect(bits_came == 1, "the top table was not copied");
		for (uint_t i = 0; i < VLP_NUM_PTES; i++)
			expect(pte_load(&CPU->cpu_hat_info->hci_vlp_slots[i]) == hat->hat_vlp_ptes[i], "slot %u is another one", i);
		hat_setup(NULL);
	}
	host_free_space(hat);
}

/* ------------------------------------------------------------------ somebody was faster */

static hat_t *racer;
static htable_t *raced;

#define NEW_VA (VA + 16 * LEVEL_SIZE(1)) /* no table has been there, which may have been kept */

static void
create_first(void)
{
	host_between = NULL;
	host_on(1);
	raced = htable_create(racer, NEW_VA, 0, NULL);
	host_on(0);
}

/** The table appears while one for the same place is being allocated: that one is freed, and the other is given. */
static void
create_race(hat_t *hat)
{
	htable_t *parent = htable_create(hat, NEW_VA, 1, NULL), *ht;
	uint32_t tables;

	htable_purge_hat(hat);
	htable_keep_none(NULL);
	tables = active_ptables;
	htable_dont_cache = 1;
	racer = hat;
	host_before_object = create_first;
	ht = htable_create(hat, NEW_VA, 0, NULL);
	htable_dont_cache = 0;
	expect(ht == raced && ht->ht_busy == 2, "two tables for one place, or %d holds", ht->ht_busy);
	expect(active_ptables == tables + 1, "%d tables more", (int)(active_ptables - tables));
	htable_release(raced);
	htable_release(ht);
	htable_release(parent);
}

/** Whatever is free holds junk. */
static void
spoil_free_pages(void)
{
	for (page_t *pp = page_next(NULL); pp != NULL; pp = page_next(pp))
		if (pp->p_state == PAGE_FREE)
			memset(machine_phys((unsigned long long)pfn_to_pa(pp->p_pagenum)), 0xa5, PAGESIZE);
}

static void
empty_stack(void)
{
	htable_purge_hat(racer);
	spoil_free_pages();
}

/** B43: the cached stack has just been emptied when the lock is there: a new table then, and that one is zeroed. */
static void
cache_raced_empty(hat_t *hat)
{
	htable_t *ht;

	htable_free(htable_alloc(hat, VA, 0, NULL));
	expect(hat->hat_ht_cached != NULL, "nothing was cached");
	racer = hat;
	host_before_which = &hat->hat_mutex;
	host_before_lock = empty_stack;
	ht = htable_alloc(hat, VA, 0, NULL);
	expect(host_before_lock == NULL, "the race did not happen");
	for (uint_t i = 0; i < mmu.ptes_per_table; i++)
		expect(x86pte_get(ht, i) == 0, "entry %u of a new table is 0x%llx", i, (unsigned long long)x86pte_get(ht, i));
	htable_free(ht);
	htable_purge_hat(hat);
}

/* ------------------------------------------------------------------ a thief is disturbed */

#define PAGES 5

static bool load_too; /* the one who comes also maps a page where the thief has been already */

/** Everything is unmapped but the last page; then somebody comes through a mapping list, and goes again. */
static void
come_late(void)
{
	if (curthread->t_preempt > 0 || !(raced->ht_flags & HTABLE_CUT) || raced->ht_valid_cnt != (load_too ? 1 : PAGES))
		return;
	host_between = NULL;
	htable_acquire(raced);
	if (!load_too)
		return;
	(void)hati_pte_map(raced, 0, page, hati_mkpte(racer, VA, page->p_pagenum, RW, 0, 0), HAT_LOAD, NULL);
	htable_release(raced);
}

void
rob_all(void)
{
	htable_t *got = htable_steal(1000);

	for (htable_t *next; got != NULL; got = next) {
		next = got->ht_next;
		htable_free(got);
	}
}

/**
 * B36: the table is wanted again while it is being emptied: it goes back into its place, with what is left in it. While somebody holds
 * it nobody takes it; when he has gone the thief's next pass does.
 */
static void
steal_raced(hat_t *hat, bool too)
{
	htable_t *got;

	rob_all();
	for (uint_t i = 0; i < PAGES; i++)
		hat_memload(hat, VA + i * PAGESIZE, page, RW, HAT_LOAD);
	raced = htable_lookup(hat, VA, 0);
	htable_release(raced);
	racer = hat;
	load_too = too;
	host_between = come_late;
	got = htable_steal(1);
	expect(host_between == NULL, "nobody came");
	expect((got == raced) == too, "the thief has table %p, the one that was held is %p", (void *)got, (void *)raced);
	expect(hat_getpfnum(hat, VA) == (too ? PFN_INVALID : page->p_pagenum), "the first page leads elsewhere");
	if (!too) {
		expect(raced->ht_valid_cnt == PAGES && !(raced->ht_flags & HTABLE_CUT), "%d pages are left", raced->ht_valid_cnt);
		htable_release(raced);
	}
	if (got != NULL)
		htable_free(got);
	host_sound("after the theft");
	hat_unload(hat, VA, PAGES * PAGESIZE, HAT_UNLOAD);
}

/* ------------------------------------------------------------------ the reserve */

static htable_t *taken;

static void
take_all(void)
{
	for (htable_t *ht; (ht = htable_get_reserve()) != NULL; taken = ht) {
		ht->ht_next = taken;
		ht->ht_pfn = PFN_INVALID;
	}
}

static void
put_all(void)
{
	for (htable_t *next; taken != NULL; taken = next) {
		next = taken->ht_next;
		htable_put_reserve(taken);
	}
}

/** B22: it looks too full, and is empty when one is to be taken. */
static void
adjust_raced_empty(void)
{
	uint64_t amount = htable_reserve_amount;
	uint_t cnt = htable_reserve_cnt;

	host_before_which = &htable_reserve_mutex;
	host_before_lock = take_all;
	htable_reserve_amount = 0;
	htable_adjust_reserve();
	htable_reserve_amount = amount;
	expect(host_before_lock == NULL && htable_reserve_cnt == 0, "%u objects in the reserve", htable_reserve_cnt);
	put_all();
	expect(htable_reserve_cnt == cnt, "%u objects of %u are back", htable_reserve_cnt, cnt);
}

/** B22: a thread that lives on the reserve trims nothing; B20: and gets NULL when there is nothing. */
static void
entitled(void)
{
	uint64_t amount = htable_reserve_amount;
	uint_t cnt = htable_reserve_cnt;
	htable_t *ht;

	htable_reserve_amount = 0;
	curthread->t_hatdepth = 2;
	htable_adjust_reserve();
	expect(htable_reserve_cnt == cnt, "somebody who lives on the reserve gave %u away", cnt - htable_reserve_cnt);
	ht = htable_object_get();
	expect(htable_reserve_cnt == cnt - 1, "an object that is not from the reserve");
	htable_object_put(ht);
	expect(htable_reserve_cnt == cnt, "an object that is not back in the reserve");
	take_all();
	expect(htable_object_get() == NULL, "an object out of nothing");
	put_all();
	curthread->t_hatdepth = 0;
	htable_reserve_amount = amount;
}

static void
become_entitled(void)
{
	curthread->t_hatdepth = 2;
}

/** B45: the allocator re-entered the HAT, and the thread lives on the reserve from then on: what it has it keeps. */
static void
entitled_midway(void)
{
	uint64_t amount = htable_reserve_amount;
	uint_t cnt = htable_reserve_cnt;
	htable_t *ht;

	htable_reserve_amount = cnt + 3; /* or it would be given away */
	host_before_object = become_entitled;
	ht = htable_object_get();
	expect(htable_reserve_cnt == cnt, "%u objects in the reserve instead of %u", htable_reserve_cnt, cnt);
	curthread->t_hatdepth = 0;
	kmem_cache_free(htable_cache, ht);
	ht = htable_object_get(); /* B45: three are given away first */
	expect(htable_reserve_cnt == cnt + 3, "%u objects in the reserve instead of %u", htable_reserve_cnt, cnt + 3);
	htable_reserve_amount = amount;
	htable_object_put(ht);
	expect(htable_reserve_cnt == amount, "%u objects in the reserve", htable_reserve_cnt);
}

void
test_branches(void)
{
	hat_t *hat;

	host_boot();
	page = page_get(PAGE_USER);
	hat = hat_alloc(&wide);
	hat_setup(hat);
	for (int own = 0; own < 2; own++) {
		set_race(hat, own, false);
		set_race(hat, own, true);
		inval_race(hat, own);
	}
	set_invalid(hat);
	update_race(hat);
	lost_write();
	vlp_race();
	create_race(hat);
	cache_raced_empty(hat);
	steal_raced(hat, false);
	steal_raced(hat, true);
	htable_adjust_reserve();
	adjust_raced_empty();
	entitled();
	entitled_midway();
	edges_run(hat);
	leaves_run(hat);
	corners_run(hat);
	rare_run(hat);
	cut_run(hat);
	dump_run(hat);
	windows_run(hat);
	sharing_run(hat);
	scans_run(hat);
	shootdowns_run(hat);
	hat_setup(NULL);
	host_free_space(hat);
	htable_reap(NULL); /* from nobody */
	page_free(page, 1);
	host_sound("at the end");
	printf(
	    "branches: races of entries, tables, thieves, reserves; edges of walks, panics, sharing; leaves; corners; what is rare; tables on their way; dumps; windows; sharing; scans; flushes\n");
}
