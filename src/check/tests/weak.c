/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of weak points that the original design had and this one must not have (spec, appendix C), where no other check
 * shows them. docs/weak-points.md lists them all; src/tests/test_weak.py plants each one and sees its check fail.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/trial.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define VA ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE)

/* C-15: one hold for each sharer, so counts have room for more than 32767. */
_Static_assert(sizeof(((htable_t *)0)->ht_busy) == 4 && sizeof(((htable_t *)0)->ht_valid_cnt) == 4, "counts are 32 bits wide");

static page_t *
get_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "out of pages");
	return (pp);
}

static x86pte_t
raw(pfn_t pfn, uint_t entry)
{
	x86pte_t e = 0;

	check_true(peek_phys(pfn_to_pa(pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "frame 0x%lx cannot be read", pfn);
	return (e);
}

static void
put_raw(pfn_t pfn, uint_t entry, x86pte_t e)
{
	check_true(poke_phys(pfn_to_pa(pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "frame 0x%lx cannot be written", pfn);
}

/** Does the text say this? */
static bool
says(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text != '\0'; text++)
		if (strncmp(text, word, n) == 0)
			return (true);
	return (false);
}

/* ------------------------------------------------------------------ links */

static void
attach_anything(void *hat)
{
	htable_attach(hat, 0, mmu.max_level, NULL, 0);
}

/** C-6: adopting a table when the reserve is empty says so. */
CHECK(attach_reserve, "attach-reserve", NULL, 0, 0, NULL, CK_BARE)
{
	htable_t *all = NULL, *ht;
	char text[160] = "";
	bool stopped;

	while ((ht = htable_get_reserve()) != NULL) {
		ht->ht_next = all;
		all = ht;
	}
	stopped = check_panics(attach_anything, hat, text, sizeof(text));
	while ((ht = all) != NULL) {
		all = ht->ht_next;
		htable_put_reserve(ht);
	}
	check_true(stopped && says(text, "reserve is empty"), "with an empty reserve: \"%s\"", text);
}

/** C-7: a slot with a lone accessed bit is empty, and the new table is linked for the MMU, not only in our books. */
CHECK(link_ref, "link-ref", NULL, 0, 0, NULL, 0)
{
	htable_t *up = htable_create(hat, VA, 1, NULL), *ht;
	uint_t entry = htable_va2entry(VA, up);

	check_eq(raw(up->ht_pfn, entry), 0, "the slot at first");
	put_raw(up->ht_pfn, entry, PT_REF);
	ht = htable_create(hat, VA, 0, NULL);
	check_eq(raw(up->ht_pfn, entry), MAKEPTP(ht->ht_pfn, 0), "the slot of a table that was linked");
	htable_release(ht);
	htable_release(up);
}

/**
 * C-8: the kernel's directory pointers are in the CPU, and it must load them again when one goes. The table of level 1 that has
 * gone is filled by hand: a CPU that still knows it reads the page.
 */
CHECK(unlink_pointer, "unlink-pointer", NULL, 0, 0, NULL, 0)
{
	page_t *page = get_page(), *low = get_page();
	uint_t entry = (VA >> LEVEL_SHIFT(1)) & (mmu.ptes_per_table - 1);
	htable_t *ht;
	pfn_t was;
	bool before, after;
	char c;

	(void)hat;
	ht = htable_create(kas_hat, VA, 1, NULL);
	hat_devload(kas_hat, VA, PAGESIZE, page->p_pagenum, RW, HAT_LOAD_NOCONSIST);
	was = ht->ht_pfn;
	put_raw(low->p_pagenum, 0, MAKEPTE(page->p_pagenum, 0) | PT_WRITABLE);
	kpreempt_disable(); /* a thread's turn may load CR3 */
	before = peek((char *)VA, &c, 1);
	hat_unload(kas_hat, VA, PAGESIZE, HAT_UNLOAD);
	htable_release(ht);
	ht = htable_lookup(kas_hat, VA, 1);
	if (mmu.max_level > 1)
		put_raw(was, entry, MAKEPTP(low->p_pagenum, 0));
	after = peek((char *)VA, &c, 1);
	if (mmu.max_level > 1)
		put_raw(was, entry, 0);
	kpreempt_enable();
	check_true(ht == NULL || mmu.max_level == 1, "the table of level 1 is still there");
	htable_release(ht);
	check_true(before && !after, "the page can%s be read while it is mapped, and can%s afterwards", before ? "" : "not",
	    after ? "" : "not");
	page_free(page, 1);
	page_free(low, 1);
}

#ifdef DEBUG
/** Looks like an empty table below a kernel slot that all have copied, but names another frame: unlinking it cannot succeed. */
static htable_t final_table;

static void
unlink_it(void *arg)
{
	(void)arg;
	unlink_ptp(final_table.ht_parent, &final_table, final_table.ht_vaddr);
}

static void
link_it(void *arg)
{
	(void)arg;
	link_ptp(final_table.ht_parent, &final_table, final_table.ht_vaddr);
}

static void
try_on_final(void (*fn)(void *), const char *what)
{
	kmutex_t *lock = htable_lock(kas_hat, htable_hash(kas_hat, final_table.ht_vaddr, final_table.ht_level));
	char text[160] = "";
	bool stopped;
	int32_t count;

	mutex_enter(lock);
	count = final_table.ht_parent->ht_valid_cnt;
	stopped = check_panics(fn, NULL, text, sizeof(text));
	final_table.ht_parent->ht_valid_cnt = count;
	if (MUTEX_HELD(lock)) /* who panics holds no lock any more */
		mutex_exit(lock);
	check_true(stopped && says(text, "final"), "%s a kernel slot that all have copied: \"%s\"", what, text);
}

/** C-31: kernel slots were copied into every address space, so none of them changes any more. */
CHECK(range_final, "range-final", NULL, 0, 0, NULL, 0)
{
	const struct hat_kernel_range *k = &kernel_ranges[num_kernel_ranges - 1];
	htable_t *ht = htable_lookup(kas_hat, k->hkr_start, k->hkr_level - 1);

	(void)hat;
	check_true(ht != NULL, "no table below the kernel range at 0x%lx", k->hkr_start);
	final_table = *ht;
	final_table.ht_valid_cnt = 0;
	final_table.ht_pfn ^= 1;
	htable_release(ht);
	try_on_final(unlink_it, "unlinking");
	try_on_final(link_it, "linking");
}
#endif

/* ------------------------------------------------------------------ walks and counts */

/** C-9, D8: the first page, the last below the hole, the first above it, the last one; each exactly once, from wherever one starts. */
CHECK(walk_hole, "walk-hole", NULL, 0, 0, NULL, 0)
{
	uintptr_t below = (mmu.hole_end != 0 ? mmu.hole_start : (uintptr_t)1 << 31) - PAGESIZE,
		  above = va_skip_hole(below + PAGESIZE);
	const uintptr_t want[] = { PAGESIZE, below, above, userlimit - PAGESIZE };
	page_t *pp = get_page();

	for (uint_t i = 0; i < NELEM(want); i++)
		hat_memload(hat, want[i], pp, RW, HAT_LOAD);
	for (uint_t from = 0; from < NELEM(want); from++) {
		htable_t *ht = NULL;
		uintptr_t va = want[from];
		uint_t i = from;

		for (; htable_walk(hat, &ht, &va, HTABLE_WALK_TO_END) != 0; i++, va += LEVEL_SIZE(ht->ht_level)) {
			check_true(i < NELEM(want), "one page more than there are: 0x%lx", va);
			check_eq(va, want[i], "the next page");
		}
		check_eq(i, NELEM(want), "pages found");
	}
	for (uint_t i = 0; i < NELEM(want); i++)
		hat_unload(hat, want[i], PAGESIZE, HAT_UNLOAD);
	page_free(pp, 1);
}

#define MANY 40000

/** C-15: more holds than 15 bits count. */
CHECK(busy_many, "busy-many", NULL, 0, 0, NULL, 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);

	for (int32_t i = 1; i <= MANY; i++) {
		htable_t *again = htable_lookup(hat, VA, 0);

		check_true(again == ht && ht->ht_busy == 1 + i, "%d holds are counted as %d", 1 + i, ht->ht_busy);
	}
	for (int32_t i = 0; i <= MANY; i++)
		htable_release(ht);
}

/** C-38: there may be nothing to release. */
CHECK(release_nothing, "release-nothing", "htable_release", 0, 0, NULL, 0)
{
	check_eq(hat_probe(hat, VA), 0, "hat_probe() of nothing");
	copy_on(hat);
	htable_release(NULL);
	copy_off();
}

/* ------------------------------------------------------------------ sharing */

static void
purge(void *hat)
{
	htable_purge_hat(hat);
}

/** C-23: a hat goes that still shows somebody's table: an assertion, and where there are none the source gets its hold back. */
CHECK(purge_shared, "purge-shared", NULL, 0, 0, NULL, 0)
{
	hat_t *client = hat_alloc(NULL);
	page_t *pp = get_page();
	htable_t *source, *shared;
	char text[160] = "";
	int32_t busy;
	bool stopped;

	hat_memload(hat, VA, pp, RW, HAT_LOAD_SHARE);
	source = htable_lookup(hat, VA, 0);
	busy = source->ht_busy;
	(void)hat_share(client, VA, hat, VA, LEVEL_SIZE(1), 0);
	check_eq(source->ht_busy, busy + 1, "holds on the source while it is shared");
	shared = htable_lookup(client, VA, 0);
	htable_release(shared);
	hat_free_start(client);
	stopped = check_panics(purge, client, text, sizeof(text));
#ifdef DEBUG
	shared->ht_shares = NULL; /* as hat_unshare() should have done */
	shared->ht_flags = HTABLE_VLP;
	HATSTAT_INC(hs_htable_unshared);
	htable_release(source);
	htable_purge_hat(client);
	check_true(stopped && says(text, "still shows"), "purging a hat with a shared table: \"%s\"", text);
#else
	(void)shared;
	check_true(!stopped, "purging a hat with a shared table: \"%s\"", text);
#endif
	check_eq(source->ht_busy, busy, "holds on the source once its client has gone");
	htable_release(source);
	hat_free_end(client);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	page_free(pp, 1);
}

/* ------------------------------------------------------------------ a theft that is disturbed */

struct theft {
	uint_t stolen;
	volatile bool done;
};

static void
thief(void *arg)
{
	struct theft *t = arg;

	for (htable_t *ht = htable_steal(50), *next; ht != NULL; ht = next, t->stolen++) {
		next = ht->ht_next;
		htable_free(ht);
	}
	t->done = true;
}

/** C-33: somebody wants the table that is being emptied: the thief stops there and then, and puts it back. */
CHECK(steal_abort, "steal-abort", NULL, 0, 0, NULL, 0)
{
	struct theft theft = { 0 };
	page_t *pp = get_page();
	kthread_t *t;
	htable_t *ht;

	for (uint_t i = 0; i < 100; i++)
		hat_memload(hat, VA + i * PAGESIZE, pp, RW, HAT_LOAD);
	ht = htable_lookup(hat, VA, 0);
	htable_release(ht);
	x86_hm_enter(pp); /* the thief cannot unmap even one page */
	t = thread_create("thief", thief, &theft);
	for (int i = 0; i < 50 && t->t_state != T_SLEEP; i++)
		thread_delay(1);
	kpreempt_disable(); /* who may not wait does not wait for a thief either */
	check_eq((uintptr_t)htable_lookup(hat, VA, 0), (uintptr_t)ht, "the table");
	kpreempt_enable();
	x86_hm_exit(pp);
	thread_join(t);
	check_true(theft.done, "the thief has not come back");
	check_eq(ht->ht_valid_cnt, 99, "pages left, when one was under way");
	check_eq(hat_getpfnum(hat, VA + 50 * PAGESIZE), pp->p_pagenum, "a page of the table");
	check_eq(ht->ht_busy, 1, "holds on it");
	htable_release(ht);
	hat_unload(hat, VA, LEVEL_SIZE(1), HAT_UNLOAD);
	page_free(pp, 1);
}
