/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 3: htable_alloc() and htable_chain_insert(). Reference code: a student's copy is only what they act on.
 *
 * The scratch address spaces are bare, except where stealing is: nothing here is linked anywhere.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <vm/page.h>

#define JUNK 0xa5a5a5a5a5a5a5a5ull
#define ONCE (1u << 30) /* so many requests for a frame: one more fails, and then none for a long time */

/* ------------------------------------------------------------------ htable_alloc */

/* Frames come from a stack of free pages: the next few are full of somebody's old data. */
static void
dirty_free_frames(void)
{
	page_t *pages[6];
	uint64_t junk[64];

	memset(junk, 0xa5, sizeof(junk));
	for (uint_t i = 0; i < NELEM(pages); i++) {
		pages[i] = check_page();
		for (uint_t at = 0; at < PAGESIZE; at += sizeof(junk))
			check_true(
			    poke_phys(pfn_to_pa(pages[i]->p_pagenum) + at, junk, sizeof(junk)), "frame 0x%lx", pages[i]->p_pagenum);
	}
	for (uint_t i = 0; i < NELEM(pages); i++)
		page_free(pages[i], 0);
}

/* Nothing is kept for anybody, so a new table needs an object and a frame. */
static void
only_new_ones(void)
{
	htable_keep_none(NULL);
	dirty_free_frames();
}

/* What its last life may have left in the object of a cached or kept table. */
static void
spoil(htable_t *ht)
{
	ht->ht_vaddr = (uintptr_t)JUNK & PAGEMASK;
	ht->ht_level = 1;
	ht->ht_permanent = 3;
	ht->ht_busy = 77;
	ht->ht_groups = 0xa5a5;
	ht->ht_parent = ht;
	ht->ht_shares = ht;
	ht->ht_prev = ht;
}

static void
look_at_fields(const htable_t *ht, const hat_t *hat, uintptr_t base, level_t level)
{
	check_true(ht != NULL, "no table of level %d: htable_alloc() never fails", level);
	check_true(ht->ht_hat == hat, "ht_hat is %p, want the address space %p", (void *)ht->ht_hat, (void *)hat);
	check_eq(ht->ht_vaddr, base, "ht_vaddr");
	check_eq(ht->ht_level, level, "ht_level");
	check_eq(ht->ht_permanent, 0, "ht_permanent");
	check_eq(ht->ht_busy, 1, "ht_busy: the creator's hold");
	check_eq(ht->ht_valid_cnt, 0, "ht_valid_cnt");
	check_eq(ht->ht_lock_cnt, 0, "ht_lock_cnt");
	check_eq(ht->ht_groups, 0, "ht_groups: no entry has been valid yet");
	check_eq((uintptr_t)ht->ht_parent, 0, "ht_parent: it is not linked");
	check_eq((uintptr_t)ht->ht_prev, 0, "ht_prev: it is in no chain");
	check_eq((uintptr_t)ht->ht_next, 0, "ht_next: it is in no chain");
	check_true(ht->ht_rank == HTABLE_RANK_NONE || (level > 0 && ht->ht_rank == HTABLE_RANK_LIVE), "ht_rank is %u, want 0",
	    ht->ht_rank);
}

static void
look_at_private(const htable_t *ht, const hat_t *hat, uintptr_t base, level_t level)
{
	const page_t *pp;

	look_at_fields(ht, hat, base, level);
	check_eq(ht->ht_flags, 0, "ht_flags");
	check_eq((uintptr_t)ht->ht_shares, 0, "ht_shares");
	pp = page_numtopp_nolock(ht->ht_pfn);
	check_true(pp != NULL, "the frame of the table is 0x%lx: there is no such page", ht->ht_pfn);
	check_true(pp->p_state == PAGE_TABLE && PAGE_SHARED(pp), "frame 0x%lx is no page table's: state %u, p_selock %d",
	    ht->ht_pfn, pp->p_state, (int)pp->p_selock);
}

static void
look_at_entries(const htable_t *ht)
{
	for (uint_t i = 0; i < mmu.ptes_per_table; i++) {
		x86pte_t e = raw_entry(ht, i);

		check_true(e == 0, "entry %u of the new table (level %d, frame 0x%lx) is 0x%llx, not 0", i, ht->ht_level,
		    ht->ht_pfn, (unsigned long long)e);
	}
}

CHECK(alloc_fields, "alloc-fields", "htable_alloc", 3, 5, NULL, CK_BARE)
{
	htable_t *made[MAX_NUM_LEVEL];
	level_t top = TOP_LEVEL(hat);
	uint32_t frames;

	htable_keep_none(NULL);
	frames = active_ptables;
	for (level_t l = top; l >= 0; l--) {
		uintptr_t base = htable_base(hat, check_va(0), l);

		copy_on(hat);
		made[l] = htable_alloc(hat, base, l, NULL);
		copy_off();
		look_at_private(made[l], hat, base, l);
	}
	check_eq(active_ptables, frames + (uint32_t)top + 1, "active_ptables: a frame each");
	for (level_t l = 0; l <= top; l++)
		htable_free(made[l]);
}

CHECK(alloc_zeroed, "alloc-zeroed", "htable_alloc", 3, 3, "alloc-fields", CK_BARE)
{
	level_t level = (level_t)check_random(TOP_LEVEL(hat));
	htable_t *ht;

	only_new_ones();
	copy_on(hat);
	ht = htable_alloc(hat, htable_base(hat, check_va(0), level), level, NULL);
	copy_off();
	look_at_entries(ht);
	htable_free(ht);
}

/* Two cached tables with a past. An entry in the upper one says whether somebody has zeroed what is zero already. */
CHECK(alloc_cached, "alloc-cached", "htable_alloc", 3, 3, "alloc-fields", CK_BARE)
{
	uintptr_t base = htable_base(hat, check_va(0), 0);
	htable_t *lower = htable_alloc(hat, 0, 0, NULL), *upper = htable_alloc(hat, 0, 0, NULL), *ht;
	uint_t entry = (uint_t)check_random(mmu.ptes_per_table);
	x86pte_t marked;

	hat_cache_put(hat, lower);
	hat_cache_put(hat, upper);
	spoil(upper);
	put_raw(upper, entry, PTE_CUT);
	copy_on(hat);
	ht = htable_alloc(hat, base, 0, NULL);
	copy_off();
	check_true(ht == upper, "the address space had cached tables %p and below it %p, but table %p was returned", (void *)upper,
	    (void *)lower, (void *)ht);
	check_eq((uintptr_t)hat->hat_ht_cached, (uintptr_t)lower, "top of the cached stack afterwards");
	look_at_private(ht, hat, base, 0);
	marked = raw_entry(ht, entry);
	put_raw(ht, entry, 0);
	check_true(marked == PTE_CUT,
	    "entry %u was cleared: a cached table is all zero already, zeroing it again is work for nothing", entry);
	look_at_entries(ht);
	htable_free(ht);
}

/* A table that another address space has left behind. */
CHECK(alloc_kept, "alloc-kept", "htable_alloc", 3, 2, "alloc-fields", CK_BARE)
{
	uintptr_t base = htable_base(hat, check_va(0), 0);
	htable_t *left = htable_alloc(hat, 0, 0, NULL), *ht;
	pfn_t pfn = left->ht_pfn;

	htable_keep_none(NULL);
	check_true(htable_keep(left), "the table was not kept");
	spoil(left);
	copy_on(hat);
	ht = htable_alloc(hat, base, 0, NULL);
	copy_off();
	htable_keep_none(NULL); /* if it is still there it goes now */
	check_true(ht->ht_pfn == pfn, "frame 0x%lx was taken, though a zeroed table with frame 0x%lx is kept for everybody",
	    ht->ht_pfn, pfn);
	look_at_private(ht, hat, base, 0);
	look_at_entries(ht);
	htable_free(ht);
}

/* The four entries of such an address space are inside it. One cached table lies ready, and is the wrong thing to take. */
CHECK(alloc_vlp, "alloc-vlp", "htable_alloc", 3, 3, "alloc-fields", CK_BARE)
{
	htable_t *cached, *ht;
	uint32_t frames;

	if (!mmu.pae_hat)
		return;
	cached = htable_alloc(hat, 0, 0, NULL);
	hat_cache_put(hat, cached);
	hat->hat_flags = HAT_VLP;
	hat->hat_top = VLP_LEVEL;
	frames = active_ptables;
	copy_on(hat);
	ht = htable_alloc(hat, 0, VLP_LEVEL, NULL);
	copy_off();
	look_at_fields(ht, hat, 0, VLP_LEVEL);
	check_eq(ht->ht_flags, HTABLE_VLP, "ht_flags of the top table of a VLP address space");
	check_true(ht->ht_pfn == PFN_INVALID,
	    "the top table of a VLP address space has frame 0x%lx, but its entries are in the hat", ht->ht_pfn);
	check_true(hat->hat_ht_cached == cached, "a bare table was taken from the cached stack, whose tables have frames");
	check_eq(active_ptables, frames, "active_ptables: a bare table has no frame");
	htable_free(ht);
}

/* It shows the frame of its source, which must not be zeroed on the way. */
CHECK(alloc_shared, "alloc-shared", "htable_alloc", 3, 2, "alloc-fields", CK_BARE)
{
	uintptr_t base = htable_base(hat, check_va(0), 0);
	htable_t *source = htable_alloc(hat, 0, 0, NULL), *cached = htable_alloc(hat, 0, 0, NULL), *ht;
	uint_t entry = (uint_t)check_random(mmu.ptes_per_table);
	uint32_t frames;
	x86pte_t there;

	hat_cache_put(hat, cached);
	put_raw(source, entry, PTE_CUT);
	source->ht_valid_cnt = 1; /* nobody shares an empty table */
	frames = active_ptables;
	copy_on(hat);
	ht = htable_alloc(hat, base, 0, source);
	copy_off();
	there = raw_entry(source, entry);
	put_raw(source, entry, 0);
	look_at_fields(ht, hat, base, 0);
	check_eq(ht->ht_flags, HTABLE_SHARED_PFN, "ht_flags of a shared table");
	check_eq((uintptr_t)ht->ht_shares, (uintptr_t)source, "ht_shares");
	check_eq(ht->ht_pfn, source->ht_pfn, "frame of a shared table: its source's");
	check_eq(active_ptables, frames, "active_ptables: a shared table has no frame of its own");
	check_true(hat->hat_ht_cached == cached, "a shared table was taken from the cached stack, whose tables have frames");
	check_eq(there, PTE_CUT, "an entry of the source: its frame is in use");
	check_eq(source->ht_busy, 1, "ht_busy of the source: the hold comes with linking");
	htable_free(ht);
	source->ht_valid_cnt = 0;
	htable_free(source);
}

static void
frames_again(void)
{
	force_steal = 0;
}

/* The first request for a frame fails. The object that was to have it must not get lost on the way to the fallback. */
CHECK(alloc_no_frame, "alloc-no-frame", "htable_alloc", 3, 3, "alloc-zeroed", 0)
{
	uintptr_t base = htable_base(hat, check_va(0), 0);
	uint32_t frames;
	size_t objects;
	htable_t *ht;

	only_new_ones();
	frames = active_ptables;
	objects = kmem_cache_inuse(htable_cache) - htable_reserve_cnt;
	check_finally(frames_again);
	ptable_cnt = ONCE;
	force_steal = ONCE;
	copy_on(hat);
	ht = htable_alloc(hat, base, 0, NULL);
	copy_off();
	frames_again();
	check_true(ptable_cnt < ONCE, "no frame was asked for");
	look_at_private(ht, hat, base, 0);
	look_at_entries(ht);
	kmem_reap_settle();
	if (active_ptables == frames + 1) /* it was not stolen */
		check_eq(kmem_cache_inuse(htable_cache) - htable_reserve_cnt - objects, 1,
		    "objects taken for one table when there was no frame at first");
	htable_free(ht);
}

static void
alloc_too_high(void *hat)
{
	(void)htable_alloc(hat, 0, TOP_LEVEL((hat_t *)hat) + 1, NULL);
}

static void
alloc_too_low(void *hat)
{
	(void)htable_alloc(hat, 0, -1, NULL);
}

CHECK(alloc_level, "alloc-level", "htable_alloc", 3, 1, NULL, CK_BARE)
{
	char text[160];
	bool high, low;

	copy_on(hat);
	high = check_panics(alloc_too_high, hat, text, sizeof(text));
	low = check_panics(alloc_too_low, hat, text, sizeof(text));
	copy_off();
	check_true(high, "no panic for level %d, one above the top", TOP_LEVEL(hat) + 1);
	check_true(low, "no panic for level -1");
}

/* ------------------------------------------------------------------ htable_chain_insert */

/* A private table of level 0 whose hash is like h in its lowest bits; n: the how many'th such. */
static htable_t *
table_like(hat_t *hat, uint_t h, uint_t mask, uint_t n)
{
	for (uintptr_t base = 0;; base += LEVEL_SIZE(1))
		if (((htable_hash(hat, base, 0) ^ h) & mask) == 0 && n-- == 0)
			return (htable_alloc(hat, base, 0, NULL));
}

static uint_t
hash_of(const htable_t *ht)
{
	return (htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level));
}

/* By the unit under test when `by_copy`, else by hand. */
static void
insert(htable_t *ht, bool by_copy)
{
	hat_t *hat = ht->ht_hat;
	uint_t h = hash_of(ht);

	mutex_enter(htable_lock(hat, h));
	if (by_copy)
		copy_on(hat);
	htable_chain_insert(ht, h);
	if (by_copy)
		copy_off();
	mutex_exit(htable_lock(hat, h));
}

/* Whoever frees the address space goes by the counts, and another check judges those. */
static void
settle(hat_t *hat)
{
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		hat->hat_chains[k].hc_count = 0;
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			hat->hat_chains[b % HAT_NLOCKS].hc_count++;
}

CHECK(insert_head, "insert-head", "htable_chain_insert", 3, 3, NULL, CK_BARE)
{
	uint_t h = (uint_t)check_random(1u << 16), same = HAT_NLOCKS * HAT_MINCHAINS - 1;
	htable_t *t[3];

	for (uint_t i = 0; i < NELEM(t); i++) {
		t[i] = table_like(hat, h, same, i);
		insert(t[i], true);
		check_true(*htable_bucket(hat, h) == t[i], "after %u insertions the chain's head is %p, want the newest table %p",
		    i + 1, (void *)*htable_bucket(hat, h), (void *)t[i]);
		check_eq((uintptr_t)t[i]->ht_prev, 0, "ht_prev at the chain's head");
		check_eq((uintptr_t)t[i]->ht_next, i > 0 ? (uintptr_t)t[i - 1] : 0, "ht_next: the table that was head before");
		if (i > 0)
			check_eq((uintptr_t)t[i - 1]->ht_prev, (uintptr_t)t[i], "ht_prev of the table that was head before");
	}
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		check_true(
		    htable_chain_at(hat, b) == (b == htable_bucket_of(hat, h) ? t[2] : NULL), "chain %u has another head", b);
	settle(hat);
}

CHECK(insert_count, "insert-count", "htable_chain_insert", 3, 1, "insert-head", CK_BARE)
{
	uint_t h = (uint_t)check_random(1u << 16);

	for (uint_t i = 0; i < 3; i++)
		insert(table_like(hat, h, HAT_NLOCKS - 1, i), true);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		check_eq(hat->hat_chains[k].hc_count, k == h % HAT_NLOCKS ? 3 : 0, "hc_count: tables behind a lock");
}

/* Behind one lock there are more chains by now than an address space starts with. */
CHECK(insert_grown, "insert-grown", "htable_chain_insert", 3, 2, "insert-head", CK_BARE)
{
	uint_t h = (uint_t)check_random(1u << 16), n = 0;
	htable_t *ht;

	for (; hat->hat_chains[h % HAT_NLOCKS].hc_mask < 4 * HAT_MINCHAINS - 1; n++) {
		check_true(n < 64, "the chains do not grow");
		insert(table_like(hat, h, HAT_NLOCKS - 1, n), false);
		htable_chains_grow(hat, h);
	}
	for (uint_t i = 0; i < 6; i++) {
		ht = table_like(hat, h, HAT_NLOCKS - 1, n + i);
		insert(ht, true);
		check_true(*htable_bucket(hat, hash_of(ht)) == ht,
		    "table 0x%lx is not the head of its chain: behind its lock there are %u chains by now", (ulong_t)ht->ht_vaddr,
		    hat->hat_chains[h % HAT_NLOCKS].hc_mask + 1);
	}
	settle(hat);
}
