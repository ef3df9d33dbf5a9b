/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 4: unlinking, freeing, chains, ready tables. Reference code: a student's copy is only what they act on.
 */
#include <check/trial.h>
#include <labs/lab4-letting-go/checks.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>

static struct path path, other;

/* A private table, as htable_create() has before it is linked. */
static htable_t *private(hat_t *hat) { return (htable_alloc(hat, htable_base(hat, check_va(0), 0), 0, NULL)); }

/* ------------------------------------------------------------------ htable_chain_remove */

#define NCHAIN 4

/* Tables on one chain of a bare hat, the first one first. */
static struct {
	uint_t h;
	htable_t *ht[NCHAIN];
} chain;

static void
chain_make(hat_t *hat)
{
	chain.h = (uint_t)check_random(1u << 16);
	for (int i = NCHAIN - 1; i >= 0; i--) {
		chain.ht[i] = htable_alloc(hat, (uint_t)(i + 1) * LEVEL_SIZE(1), 0, NULL);
		mutex_enter(htable_lock(hat, chain.h));
		htable_chain_insert(chain.ht[i], chain.h);
		mutex_exit(htable_lock(hat, chain.h));
	}
}

static void
take_out(hat_t *hat, uint_t i)
{
	mutex_enter(htable_lock(hat, chain.h));
	htable_chain_remove(chain.ht[i], chain.h);
	mutex_exit(htable_lock(hat, chain.h));
}

/* The chain, forth and back, is what was made without those that `out` has a bit for. */
static void
want_chain(hat_t *hat, uint_t out)
{
	htable_t *ht = *htable_bucket(hat, chain.h), *prev = NULL;
	uint_t left = 0;

	for (uint_t i = 0; i < NCHAIN; i++) {
		if (out & (1u << i)) {
			check_true(chain.ht[i]->ht_next == NULL && chain.ht[i]->ht_prev == NULL,
			    "table %u of %u was removed and still has links", i, NCHAIN);
			continue;
		}
		check_true(ht == chain.ht[i], "going forward: table %p where table %u of %u (%p) should be", (void *)ht, i, NCHAIN,
		    (void *)chain.ht[i]);
		check_true(
		    ht->ht_prev == prev, "ht_prev of table %u of %u is %p, want %p", i, NCHAIN, (void *)ht->ht_prev, (void *)prev);
		prev = ht;
		ht = ht->ht_next;
		left++;
	}
	check_true(ht == NULL, "the chain does not end after its last table");
	check_eq(hat->hat_chains[chain.h % HAT_NLOCKS].hc_count, left, "hc_count");
}

/* By the copy, in this order; what is left, by the reference. */
static void
remove_all(hat_t *hat, const uint_t *which, uint_t n)
{
	uint_t out = 0;

	chain_make(hat);
	for (uint_t i = 0; i < n; i++) {
		copy_on(hat);
		take_out(hat, which[i]);
		copy_off();
		out |= 1u << which[i];
		want_chain(hat, out);
	}
	for (uint_t i = 0; i < NCHAIN; i++) {
		if (!(out & (1u << i)))
			take_out(hat, i);
		htable_free(chain.ht[i]);
	}
}

CHECK(chain_middle, "chain-remove-middle", "htable_chain_remove", 4, 2, NULL, CK_BARE)
{
	uint_t which[] = { 1 + (uint_t)check_random(NCHAIN - 2) };

	remove_all(hat, which, NELEM(which));
}

/* The first one, the last one, then those that have become first and last, down to an empty chain. */
CHECK(chain_ends, "chain-remove-ends", "htable_chain_remove", 4, 2, "chain-remove-middle", CK_BARE)
{
	static const uint_t which[] = { 0, NCHAIN - 1, 1, 2 };

	remove_all(hat, which, NELEM(which));
}

/* The stealer counts linked tables by rank: it must not come for one that is not there. */
CHECK(chain_rank, "chain-remove-rank", "htable_chain_remove", 4, 2, "chain-remove-ends", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);
	page_t *pp = check_page();
	uint_t h = htable_hash(hat, ht->ht_vaddr, 0);
	uint32_t ranked;

	(void)leaf_put(ht, path.va, pp);
	htable_release(ht);
	ranked = hat->hat_ranks[HTABLE_RANK_LIVE];
	check_true(ranked == 1 && ht->ht_rank == HTABLE_RANK_LIVE, "rank %u before", ht->ht_rank);
	copy_on(hat);
	mutex_enter(lock_of(ht));
	htable_chain_remove(ht, h);
	mutex_exit(lock_of(ht));
	copy_off();
	check_true(ht->ht_rank == HTABLE_RANK_NONE && hat->hat_ranks[HTABLE_RANK_LIVE] == 0,
	    "the table has left its chain with rank %u, want none; the hat counts %u of rank %u", ht->ht_rank,
	    hat->hat_ranks[HTABLE_RANK_LIVE], HTABLE_RANK_LIVE);
	mutex_enter(lock_of(ht));
	htable_chain_insert(ht, h);
	mutex_exit(lock_of(ht));
	(void)htable_lookup(hat, path.va, 0);
	leaf_take(ht, path.va);
	htable_release(ht);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ hat_cache_get, hat_cache_put */

CHECK(cache_put, "cache-put", "hat_cache", 4, 2, NULL, 0)
{
	htable_t *first = private(hat), *second = private(hat);

	copy_on(hat);
	hat_cache_put(hat, first);
	hat_cache_put(hat, second);
	copy_off();
	check_eq(ncached(hat), 2, "tables on the stack after two were pushed");
	check_true(hat->hat_ht_cached == second && second->ht_next == first, "the newest table is not on top of the stack");
	check_eq(hat->hat_ranks[HTABLE_RANK_CACHED], 1, "hat_ranks[HTABLE_RANK_CACHED]: the stealer must know that there are some");
}

CHECK(cache_get, "cache-get", "hat_cache", 4, 2, NULL, 0)
{
	htable_t *ht[3], *got[3];

	for (uint_t i = 0; i < NELEM(ht); i++)
		ht[i] = private(hat);
	for (uint_t i = 0; i < NELEM(ht); i++)
		hat_cache_put(hat, ht[i]);
	for (uint_t i = 0; i < NELEM(ht); i++) {
		copy_on(hat);
		got[i] = hat_cache_get(hat);
		copy_off();
		check_true(got[i] == ht[2 - i], "%p came off the stack, want %p: number %u of those pushed", (void *)got[i],
		    (void *)ht[2 - i], 2 - i);
		check_eq(ncached(hat), 2 - i, "tables left on the stack");
	}
	for (uint_t i = 0; i < NELEM(ht); i++)
		htable_free(got[i]);
}

CHECK(cache_empty, "cache-empty", "hat_cache", 4, 1, NULL, 0)
{
	htable_t *ht = private(hat), *got;

	hat_cache_put(hat, ht);
	got = hat_cache_get(hat); /* the stack is empty, and nobody has noticed yet */
	copy_on(hat);
	check_true(hat_cache_get(hat) == NULL, "a table came off an empty stack");
	copy_off();
	check_eq(hat->hat_ranks[HTABLE_RANK_CACHED], 0, "hat_ranks[HTABLE_RANK_CACHED] after the stack was found empty");
	htable_free(got);
}

/* Somebody else has hat_mutex for a while. */
static struct {
	hat_t *hat;
	volatile bool taken, given;
} keeper;

static void
keeper_main(void *arg)
{
	kmutex_t *m = &keeper.hat->hat_mutex;

	(void)arg;
	mutex_enter(m);
	keeper.taken = true;
	thread_delay(3);
	keeper.given = true;
	mutex_exit(m);
}

static kthread_t *
keeper_start(hat_t *hat)
{
	kthread_t *t;

	keeper.hat = hat;
	keeper.taken = keeper.given = false;
	t = thread_create("keeper", keeper_main, NULL);
	while (!keeper.taken)
		thread_yield();
	return (t);
}

CHECK(cache_mutex, "cache-mutex", "hat_cache", 4, 2, "cache-put cache-get", 0)
{
	htable_t *ht = private(hat), *got;
	kthread_t *t = keeper_start(hat);
	bool waited;

	copy_on(hat);
	hat_cache_put(hat, ht);
	waited = keeper.given;
	copy_off();
	thread_join(t);
	check_true(waited, "hat_cache_put() did not wait for hat_mutex");
	t = keeper_start(hat);
	copy_on(hat);
	got = hat_cache_get(hat);
	waited = keeper.given;
	copy_off();
	thread_join(t);
	check_true(waited, "hat_cache_get() did not wait for hat_mutex");
	htable_free(got);
}

/* ------------------------------------------------------------------ htable_free */

static void
free_with_copy(hat_t *hat, htable_t *ht)
{
	copy_on(hat);
	htable_free(ht);
	copy_off();
}

static void
want_cached(const hat_t *hat, const htable_t *ht, pfn_t pfn, const struct tally *before)
{
	check_true(hat->hat_ht_cached == ht, "the table is not on top of the hat's stack of ready tables");
	check_eq(ht->ht_pfn, pfn, "the frame of a ready table");
	want_given_up(before, 0, 0);
}

static void
want_freed(const hat_t *hat, const struct tally *before, long frames)
{
	check_true(hat->hat_ht_cached == NULL, "%u tables are on the hat's stack of ready tables, want none", ncached(hat));
	want_given_up(before, frames, 1);
}

CHECK(free_cached, "free-cached", "htable_free", 4, 3, NULL, 0)
{
	htable_t *ht = private(hat);
	struct tally before = tally_now();
	pfn_t pfn = ht->ht_pfn;

	free_with_copy(hat, ht);
	want_cached(hat, ht, pfn, &before);
}

CHECK(free_dont_cache, "free-dont-cache", "htable_free", 4, 3, NULL, 0)
{
	htable_t *ht = private(hat);
	struct tally before = tally_now();

	atomic_inc_32(&htable_dont_cache);
	free_with_copy(hat, ht);
	atomic_dec_32(&htable_dont_cache);
	want_freed(hat, &before, 1);
}

CHECK(free_freeing, "free-freeing", "htable_free", 4, 2, NULL, 0)
{
	htable_t *ht = private(hat);
	struct tally before = tally_now();

	atomic_or_32(&hat->hat_flags, HAT_FREEING);
	free_with_copy(hat, ht);
	want_freed(hat, &before, 1);
}

/* While the kernel lives on boot's reserve nothing may go back to the page allocator, whatever else is said. */
CHECK(free_boot, "free-boot", "htable_free", 4, 1, "free-cached", 0)
{
	htable_t *ht = private(hat);
	struct tally before = tally_now();
	pfn_t pfn = ht->ht_pfn;

	use_boot_reserve = 1;
	atomic_inc_32(&htable_dont_cache);
	free_with_copy(hat, ht);
	atomic_dec_32(&htable_dont_cache);
	use_boot_reserve = 0;
	want_cached(hat, ht, pfn, &before);
}

/* It has no frame: nothing to keep, nothing to give back. */
CHECK(free_vlp, "free-vlp", "htable_free", 4, 1, NULL, CK_BARE)
{
	struct tally before;
	htable_t *ht;

	hat->hat_flags |= HAT_VLP;
	hat->hat_top = VLP_LEVEL;
	ht = htable_alloc(hat, 0, VLP_LEVEL, NULL);
	before = tally_now();
	free_with_copy(hat, ht);
	want_freed(hat, &before, 0);
}

CHECK(free_shared, "free-shared", "htable_free", 4, 2, NULL, 0)
{
	htable_t *source = path_build(hat, &path, check_va(0), 0), *ht;
	pfn_t pfn = source->ht_pfn;
	struct tally before;

	source->ht_valid_cnt++; /* or it could not be shared */
	ht = htable_alloc(hat, path.va ^ LEVEL_SIZE(1), 0, source);
	path_note(&path);
	before = tally_now();
	free_with_copy(hat, ht);
	want_freed(hat, &before, 0);
	check_eq(source->ht_pfn, pfn, "the frame of the table that it was shared from");
	check_eq(source->ht_busy, path.busy[0], "ht_busy of that table: its hold is given back by the caller");
	source->ht_valid_cnt--;
	htable_release(source);
}

/* ------------------------------------------------------------------ unlink_ptp */

/* Under the lock that its contract asks for. */
static void
unlink(htable_t *ht)
{
	mutex_enter(lock_of(ht));
	unlink_ptp(ht->ht_parent, ht, ht->ht_vaddr);
	mutex_exit(lock_of(ht));
}

/* Linked again and released, by the reference. */
static void
relink(htable_t *ht)
{
	mutex_enter(lock_of(ht));
	link_ptp(ht->ht_parent, ht, ht->ht_vaddr);
	mutex_exit(lock_of(ht));
	htable_release(ht);
}

CHECK(unlink_slot, "unlink-slot", "unlink_ptp", 4, 3, NULL, 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0), *up = ht->ht_parent;
	htable_t *beside = path_build(hat, &other, path.va ^ LEVEL_SIZE(1), 0);

	path_note(&path);
	copy_on(hat);
	unlink(ht);
	copy_off();
	check_true(path_slot(&path, 0) == 0, "the parent's slot %u still holds 0x%llx", htable_va2entry(path.va, up),
	    (unsigned long long)path_slot(&path, 0));
	check_eq(path_slot(&other, 0), MAKEPTP(beside->ht_pfn, 0), "the slot beside it");
	check_true(
	    up->ht_valid_cnt == path.valid[1] - 1, "the parent's ht_valid_cnt is %d, want %d", up->ht_valid_cnt, path.valid[1] - 1);
	check_true(ht->ht_valid_cnt == 0, "ht_valid_cnt of the table that was unlinked is %d, want 0", ht->ht_valid_cnt);
	check_true(up->ht_busy == path.busy[1] && ht->ht_busy == path.busy[0],
	    "holds have changed: parent %d, want %d; table %d, want %d", up->ht_busy, path.busy[1], ht->ht_busy, path.busy[0]);
	relink(ht);
	htable_release(beside);
}

/* What had been done when the flush was asked for. */
static struct {
	const struct path *p;
	level_t level;
	uint_t n;
	uintptr_t va;
	x86pte_t slot;
	int32_t valid;
} flush;

static void
flush_see(const char *func, const uintptr_t *args)
{
	if (strcmp(func, "hat_tlb_inval") != 0)
		return;
	flush.n++;
	flush.va = args[1];
	flush.slot = path_slot(flush.p, flush.level);
	flush.valid = flush.p->ht[flush.level + 1]->ht_valid_cnt;
}

/* The table at the bottom of the path is unlinked: one flush, of this address, after the slot and before the count. */
static void
unlink_flushes(hat_t *hat, uintptr_t want)
{
	htable_t *ht = path.ht[path.bottom];

	memset(&flush, 0, sizeof(flush));
	flush.p = &path;
	flush.level = path.bottom;
	copy_on(hat);
	trial_on_call(flush_see);
	unlink(ht);
	copy_off();
	if (!trial_records("hat_tlb_inval"))
		return;
	check_eq(flush.n, 1, "flushes asked for");
	check_eq(flush.va, want, "address passed to hat_tlb_inval()");
	check_true(flush.slot == 0, "the slot still held 0x%llx when the flush was asked for: a CPU may load it again afterwards",
	    (unsigned long long)flush.slot);
	check_true(flush.valid == path.valid[path.bottom + 1],
	    "the parent's ht_valid_cnt was %d when the flush was asked for, want %d: it goes down last", flush.valid,
	    path.valid[path.bottom + 1]);
}

CHECK(unlink_flush, "unlink-flush", "unlink_ptp", 4, 3, "unlink-slot", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);

	unlink_flushes(hat, ht->ht_vaddr);
	relink(ht);
}

/* The top table of a 32-bit process lies inside its hat, and CPUs have copies of its entries: one address will not do. */
CHECK(unlink_directory, "unlink-directory", "unlink_ptp", 4, 3, "unlink-slot", CK_BARE)
{
	htable_t *ht;

	if (!mmu.pae_hat)
		return; /* no such thing */
	hat->hat_flags |= HAT_VLP;
	hat->hat_top = VLP_LEVEL;
	hat->hat_htable = htable_create(hat, 0, VLP_LEVEL, NULL);
	ht = path_build(hat, &path, (1 + check_random(2)) * LEVEL_SIZE(VLP_LEVEL), VLP_LEVEL - 1);
	unlink_flushes(hat, DEMAP_ALL_ADDR);
	relink(ht);
}

/*
 * By behaviour: what was mapped below the link must be out of reach at once. The table has one leaf, at its very start, that no
 * count knows of; a large one, so that the link may be a directory pointer, which this CPU keeps until CR3 is loaded.
 */
CHECK(unlink_stale, "unlink-stale", "unlink_ptp", 4, 2, "unlink-flush unlink-directory", 0)
{
	level_t level = MIN(1, TOP_LEVEL(hat) - 1);
	page_t *pp = check_page();
	htable_t *ht = path_build(hat, &path, check_va(level + 1), level);
	uint32_t word;
	bool reached;

	put_raw(ht, 0, (level > 0 ? MAKEPTE(0, level) | PT_USER : check_leaf(pp, 0)) | PT_REF);
	hat_setup(hat);
	kpreempt_disable(); /* another thread's turn would reload CR3, and drop the stale translation */
	check_true(peek((void *)path.va, &word, sizeof(word)), "0x%lx cannot be read", (ulong_t)path.va);
	copy_on(hat);
	unlink(ht);
	copy_off();
	reached = peek((void *)path.va, &word, sizeof(word));
	kpreempt_enable();
	hat_setup(NULL);
	check_true(!reached, "0x%lx can still be read after the table over it was unlinked: this CPU remembers", (ulong_t)path.va);
	put_raw(ht, 0, 0);
	relink(ht);
	page_free(pp, 0);
}

static void
unlink_panics(void *ht)
{
	unlink(ht);
}

static bool
contains(const char *text, x86pte_t value)
{
	char word[20];

	snprintf(word, sizeof(word), "%llx", (unsigned long long)value);
	for (; *text != '\0'; text++)
		if (strncmp(text, word, strlen(word)) == 0)
			return (true);
	return (false);
}

/* The slot holds something else: a link to another table. */
CHECK(unlink_bad, "unlink-bad-link", "unlink_ptp", 4, 2, "unlink-flush", 0)
{
	htable_t *ht = path_build(hat, &path, check_va(0), 0);
	uint_t slot = htable_va2entry(path.va, ht->ht_parent);
	x86pte_t good = path_slot(&path, 0), bad = MAKEPTP(ht->ht_parent->ht_pfn, 0);
	char text[160];
	bool panicked;

	put_raw(ht->ht_parent, slot, bad);
	copy_on(hat);
	panicked = check_panics(unlink_panics, ht, text, sizeof(text));
	copy_off();
	check_true(panicked, "no panic although the slot held 0x%llx, not our link 0x%llx", (unsigned long long)bad,
	    (unsigned long long)good);
	check_true(contains(text, bad) && contains(text, good),
	    "the panic does not tell what was found, 0x%llx, and expected, 0x%llx: \"%s\"", (unsigned long long)bad,
	    (unsigned long long)good, text);
	put_raw(ht->ht_parent, slot, good);
	htable_release(ht);
}
