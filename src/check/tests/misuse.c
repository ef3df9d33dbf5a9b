/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What an upper layer must not ask (vm/hat.h): a DEBUG kernel names the invariant and the values, and in no kernel does
 * it do any damage.
 *
 * "No damage" means: all invariants hold, and what the address spaces of the stage map is what they mapped before, entry by entry
 * and in number.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/vmem.h>
#include <vm/as.h>
#include <memmap.h>
#include "holds.h"

#define VA     ((uintptr_t)0x40000000)
#define RU     (PROT_READ | PROT_USER)
#define RWU    (RU | PROT_WRITE)
#define LARGE  (LEVEL_SIZE(1))
#define NLARGE ((uint_t)(LARGE >> PAGESHIFT))
#define ALL    (~(size_t)PAGEOFFSET) /**< as long as can be */

/* ------------------------------------------------------------------ the stage */

#define NSEEN 8

/** A user's address space with everything in it that misuse could damage, and a source of shared tables. */
static struct {
	hat_t *hat, *src;
	page_t *page, *shared, *large;
	uintptr_t seen[NSEEN]; /* mapped addresses */
	uint_t n;
} s;

/** What is looked at before and after. */
struct look {
	x86pte_t entry[NSEEN];
	ulong_t mapped[3][MAX_PAGE_LEVEL + 1], ism;
	uint32_t locks;
	uint_t shares[3];
	ulong_t tables;
};

static page_t *
new_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page");
	return (pp);
}

static x86pte_t
entry_at(hat_t *hat, uintptr_t va)
{
	x86pte_t pte = 0;

	htable_release(htable_getpte(hat, va, NULL, &pte, mmu.max_page_level));
	return (pte);
}

static struct look
look(void)
{
	hat_t *hats[3] = { s.hat, s.src, kas_hat };
	page_t *pages[3] = { s.page, s.shared, s.large };
	htable_t *ht = htable_lookup(s.hat, VA, 0);
	struct look l = { .ism = s.hat->hat_ism_pgcnt, .tables = active_ptables };

	l.locks = ht != NULL ? ht->ht_lock_cnt : UINT32_MAX; /* it may have gone with what it mapped */
	htable_release(ht);
	for (uint_t i = 0; i < s.n; i++)
		l.entry[i] = entry_at(s.hat, s.seen[i]);
	for (int i = 0; i < 3; i++) {
		memcpy(l.mapped[i], hats[i]->hat_pages_mapped, sizeof(l.mapped[i]));
		l.shares[i] = hat_page_getshare(pages[i]);
	}
	return (l);
}

static void
stage_page(uintptr_t va, uint_t flags)
{
	hat_memload(s.hat, va, s.page, RWU, flags);
	s.seen[s.n++] = va;
}

/** Pages at VA (locked), before userlimit and around the hole, a large page, and a shared table. */
static void
stage_make(hat_t *hat)
{
	s.hat = hat;
	s.n = 0;
	s.page = new_page();
	s.shared = new_page();
	s.large = page_get_large(PAGE_USER, NLARGE);
	check_true(s.large != NULL, "no large page");
	stage_page(VA, HAT_LOAD_LOCK);
	stage_page(hat_user_end(hat) - PAGESIZE, HAT_LOAD);
	stage_page(0, HAT_LOAD);
	if (mmu.hole_end != 0 && hat_user_end(hat) == userlimit) {
		stage_page(mmu.hole_start - PAGESIZE, HAT_LOAD);
		stage_page(mmu.hole_end + 1, HAT_LOAD);
	}
	hat_devload(hat, VA + LARGE, LARGE, s.large->p_pagenum, RWU, HAT_LOAD);
	s.seen[s.n++] = VA + LARGE;
	s.src = hat_alloc(NULL);
	hat_memload(s.src, VA, s.shared, RU, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA + 2 * LARGE, s.src, VA, LARGE, 0);
	check_eq(hat->hat_ism_pgcnt, 1, "pages seen through the shared table");
	s.seen[s.n++] = VA + 2 * LARGE;
}

static void
stage_clear(void)
{
	hat_unlock(s.hat, VA, PAGESIZE);
	hat_unshare(s.hat, VA + 2 * LARGE, LARGE, 0);
	for (uint_t i = 0; i < s.n; i++)
		if (s.seen[i] != VA + 2 * LARGE)
			hat_unload(s.hat, s.seen[i], s.seen[i] == VA + LARGE ? LARGE : PAGESIZE, HAT_UNLOAD);
	hat_unload(s.src, VA, PAGESIZE, HAT_UNLOAD);
	hat_free_start(s.src);
	hat_free_end(s.src);
	page_free(s.page, 0);
	page_free(s.shared, 0);
	for (uint_t i = 0; i < NLARGE; i++)
		page_free(s.large + i, 0);
}

/* ------------------------------------------------------------------ one misuse */

static void
call(void *fn)
{
	(*(void (**)(void))fn)();
}

/** Call fn. In DEBUG the assertion says this and where it is. @param what for messages */
static void
expect_assert(const char *what, void (*fn)(void), const char *want)
{
	char text[160];
	bool stopped = check_panics(call, &fn, text, sizeof(text));

	if (!stopped)
		strlcpy(text, "no assertion", sizeof(text));
#ifdef DEBUG
	check_note("%s", text);
	check_true(strncmp(text, "assertion failed: ", 18) == 0 && strncmp(text + 18, want, MIN(strlen(want), 159ul - 18)) == 0,
	    "%s: %s; wanted: %s", what, text, want);
#else
	check_true(!stopped, "%s: %s", what, text);
	(void)want;
#endif
}

/** The same on the stage. Holds of a table that an assertion may have left are given back. */
static void
expect_harmless(const char *what, void (*fn)(void), const char *want, htable_t *ht)
{
	struct look before = look(), after;
	int32_t busy = ht != NULL ? ht->ht_busy : 0;

	if (want != NULL)
		expect_assert(what, fn, want);
	else
		fn();
	back_to(ht, busy);
	after = look();
	for (uint_t i = 0; i < s.n; i++)
		check_true(before.entry[i] == after.entry[i], "%s: the entry at 0x%lx was 0x%llx and is 0x%llx", what, s.seen[i],
		    (unsigned long long)before.entry[i], (unsigned long long)after.entry[i]);
	check_true(memcmp(&before, &after, sizeof(before)) == 0, "%s: counts have changed", what);
}

/* ------------------------------------------------------------------ ranges */

static struct {
	hat_t *hat;
	uintptr_t va;
	size_t len;
} r;

static page_t *pages[2];

static void
do_memload(void)
{
	hat_memload(r.hat, r.va, s.page, RU, HAT_LOAD);
}
static void
do_array(void)
{
	hat_memload_array(r.hat, r.va, r.len, pages, RU, HAT_LOAD);
}
static void
do_devload(void)
{
	hat_devload(r.hat, r.va, r.len, s.page->p_pagenum, RU, HAT_LOAD_NOCONSIST);
}
static void
do_unlock(void)
{
	hat_unlock(r.hat, r.va, r.len);
}
static void
do_unload(void)
{
	hat_unload(r.hat, r.va, r.len, HAT_UNLOAD);
}
static void
do_callback(void)
{
	hat_unload_callback(r.hat, r.va, r.len, HAT_UNLOAD_UNLOCK, NULL);
}
static void
do_sync(void)
{
	hat_sync(r.hat, r.va, r.len, HAT_SYNC_ZERORM);
}
static void
do_setattr(void)
{
	hat_setattr(r.hat, r.va, r.len, PROT_EXEC | HAT_NOSYNC);
}
static void
do_clrattr(void)
{
	hat_clrattr(r.hat, r.va, r.len, PROT_WRITE);
}
static void
do_chgattr(void)
{
	hat_chgattr(r.hat, r.va, r.len, HAT_NOSYNC);
}
static void
do_chgprot(void)
{
	hat_chgprot(r.hat, r.va, r.len, RU);
}
static void
do_share(void)
{
	(void)hat_share(r.hat, r.va, s.src, VA, r.len, 0);
}
static void
do_unshare(void)
{
	hat_unshare(r.hat, r.va, r.len, 0);
}

static void
do_share_from(void)
{
	s.src->hat_flags |= HAT_SHARED;
	(void)hat_share(r.hat == kas_hat ? s.hat : s.src, VA, r.hat, r.va, r.len, 0);
}

/** Everything that takes a range; not all take a length. */
static const struct {
	const char *name;
	void (*fn)(void);
	bool has_len, for_kernel;
} calls[] = {
	{ "hat_memload", do_memload, false, true },
	{ "hat_memload_array", do_array, true, true },
	{ "hat_devload", do_devload, true, true },
	{ "hat_unlock", do_unlock, true, false },
	{ "hat_unload", do_unload, true, true },
	{ "hat_unload_callback", do_callback, true, true },
	{ "hat_sync", do_sync, true, true },
	{ "hat_setattr", do_setattr, true, true },
	{ "hat_clrattr", do_clrattr, true, true },
	{ "hat_chgattr", do_chgattr, true, true },
	{ "hat_chgprot", do_chgprot, true, true },
	{ "hat_share", do_share, true, true },
	{ "hat_unshare", do_unshare, true, true },
};

/** A range through every call. `want` is the text for (va, len); NULL: nothing is said. */
static void
try_range(hat_t *hat, uintptr_t va, size_t len, const char *want)
{
	char what[64];

	for (uint_t i = 0; i < NELEM(calls); i++) {
		if ((!calls[i].has_len && len != PAGESIZE) || (hat == kas_hat && !calls[i].for_kernel))
			continue;
		r.hat = hat;
		r.va = va;
		r.len = len;
		snprintf(what, sizeof(what), "%s(0x%lx, 0x%zx)", calls[i].name, va, len);
		expect_harmless(what, calls[i].fn, want, NULL);
	}
}

static void PRINTFLIKE(4, 5) range_says(hat_t *hat, uintptr_t va, size_t len, const char *fmt, ...)
{
	char want[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	try_range(hat, va, len, want);
}

static void
not_aligned(hat_t *hat, uintptr_t va, size_t len)
{
	range_says(hat, va, len, "L9: hat range 0x%lx, 0x%zx bytes, is not page aligned", va, len);
}

static void
no_such_addresses(hat_t *hat, uintptr_t va, size_t len)
{
	range_says(hat, va, len, "S9: hat range 0x%lx, 0x%zx bytes, reaches into the hole or beyond the end", va, len);
}

static void
not_the_users(hat_t *hat, uintptr_t va, size_t len)
{
	range_says(hat, va, len, "S9: user range 0x%lx-0x%lx reaches beyond 0x%lx", va, va + (len - 1), hat_user_end(hat));
}

static void
ranges_of_user(hat_t *hat)
{
	uintptr_t end = hat_user_end(hat);

	pages[0] = pages[1] = s.page;
	not_aligned(hat, VA + 1, PAGESIZE);
	not_aligned(hat, VA + PAGESIZE - 1, PAGESIZE);
	not_aligned(hat, VA, PAGESIZE + 8);
	not_aligned(hat, VA, 1);
	not_aligned(hat, VA + 8, PAGESIZE - 8);
	not_the_users(hat, end - PAGESIZE, 2 * PAGESIZE);
	not_the_users(hat, end, PAGESIZE);
	not_the_users(hat, kernelbase, PAGESIZE);
	not_the_users(hat, kernelbase + LARGE, 2 * PAGESIZE);
	not_the_users(hat, UINTPTR_MAX & PAGEMASK, PAGESIZE);
	no_such_addresses(hat, UINTPTR_MAX & PAGEMASK, 2 * PAGESIZE);
	no_such_addresses(hat, VA, ALL);
	if (mmu.hole_end == 0)
		not_the_users(hat, 0, ALL);
	else
		no_such_addresses(hat, 0, ALL);
	try_range(hat, VA, 0, NULL);
	try_range(hat, end, 0, NULL);
	try_range(hat, VA + 1, 0, NULL);
	if (mmu.hole_end == 0)
		return;
	no_such_addresses(hat, mmu.hole_start - PAGESIZE, 2 * PAGESIZE);
	no_such_addresses(hat, mmu.hole_start, PAGESIZE);
	no_such_addresses(hat, mmu.hole_end + 1 - PAGESIZE, PAGESIZE);
	no_such_addresses(hat, mmu.hole_end + 1 - PAGESIZE, 2 * PAGESIZE);
	no_such_addresses(hat, VA, mmu.hole_end + 1 - VA); /* all of it */
}

CHECK(misuse_ranges, "misuse-ranges", NULL, 0, 0, NULL, 0)
{
	stage_make(hat);
	ranges_of_user(hat);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

/* A 32-bit process ends at 4 GiB; in a 32-bit kernel it is like any other. */
CHECK(misuse_narrow, "misuse-narrow", NULL, 0, 0, NULL, 0)
{
	static struct as narrow = { .a_32bit = true };
	hat_t *small = hat_alloc(&narrow);

	(void)hat;
	stage_make(small);
	ranges_of_user(small);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
	hat_free_start(small);
	hat_free_end(small);
}

CHECK(misuse_kernel_ranges, "misuse-kernel-ranges", NULL, 0, 0, NULL, 0)
{
	uintptr_t va = kernelbase - PAGESIZE;

	stage_make(hat);
	pages[0] = pages[1] = s.page;
	range_says(kas_hat, va, 2 * PAGESIZE, "S9: kernel range 0x%lx-0x%lx reaches across kernelbase 0x%lx", va,
	    va + 2 * PAGESIZE - 1, kernelbase);
	not_aligned(kas_hat, HEAP_BASE + 1, PAGESIZE);
	no_such_addresses(kas_hat, UINTPTR_MAX & PAGEMASK, 2 * PAGESIZE);
	if (mmu.hole_end != 0)
		no_such_addresses(kas_hat, mmu.hole_start, PAGESIZE);
	try_range(kas_hat, kernelbase, 0, NULL);
	/* the other end of hat_share() */
	r.hat = kas_hat;
	r.va = va;
	r.len = 2 * PAGESIZE;
	expect_harmless("hat_share from across kernelbase", do_share_from, "S9: kernel range", NULL);
	r.hat = s.hat;
	r.va = userlimit;
	expect_harmless("hat_share from beyond userlimit", do_share_from, "S9: user range", NULL);
	r.va = VA + 4;
	expect_harmless("hat_share from between pages", do_share_from, "L9: hat range", NULL);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

/* ------------------------------------------------------------------ what is not there */

static void
empty_range(void)
{
	uintptr_t at = VA + 8 * LARGE;

	r.hat = s.hat;
	r.va = at;
	r.len = 3 * LARGE;
	for (uint_t i = 0; i < NELEM(calls); i++)
		if (calls[i].fn != do_memload && calls[i].fn != do_array && calls[i].fn != do_devload && calls[i].fn != do_share)
			expect_harmless(calls[i].name, calls[i].fn, NULL, NULL);
	(void)hat_getpfnum(s.hat, at);
}

static void
do_unlock_page(void)
{
	hat_unlock(s.hat, r.va, PAGESIZE);
}
static void
do_unload_page(void)
{
	hat_unload(s.hat, r.va, PAGESIZE, HAT_UNLOAD_UNLOCK);
}
static void
do_unload_two(void)
{
	hat_unload(s.hat, r.va, 2 * PAGESIZE, HAT_UNLOAD);
}

/** Text about one address and the table over it. */
static const char *
about(char *buf, size_t size, const char *fmt, uintptr_t va, const htable_t *ht)
{
	snprintf(buf, size, fmt, va, (const void *)ht);
	return (buf);
}

#define NOT_LOCKED  "N6: 0x%lx is unlocked, but nothing in table %p is locked"
#define NOT_ITS_OWN "N2: 0x%lx is unloaded, but table %p is shared"

CHECK(misuse_absent, "misuse-absent", NULL, 0, 0, NULL, 0)
{
	uintptr_t last = hat_user_end(hat) - PAGESIZE;
	char want[160];
	htable_t *ht;
	int32_t busy;

	stage_make(hat);
	/* ranges without anything in them are no misuse: segments have holes */
	empty_range();
	/* a mapping without a lock; the one at VA has one, and one only */
	r.va = last;
	ht = hold(hat, last, 0, &busy);
	expect_harmless("unlock", do_unlock_page, about(want, sizeof(want), NOT_LOCKED, last, ht), ht);
	r.va = VA;
	hat_unlock(hat, VA, PAGESIZE);
	htable_release(ht);
	ht = hold(hat, VA, 0, &busy);
	expect_harmless("unlock twice", do_unlock_page, about(want, sizeof(want), NOT_LOCKED, VA, ht), ht);
	/* unloading with the lock that it does not have: stops, or unloads and leaves the count alone */
	expect_assert("unload with unlock", do_unload_page, want);
	back_to(ht, busy);
	check_eq(ht->ht_lock_cnt, 0, "locks");
#ifdef DEBUG
	check_eq(hat_probe(hat, VA), 1, "a page that was to be unlocked");
#else
	check_eq(hat_probe(hat, VA), 0, "a page that was to be unloaded");
#endif
	hat_memload(hat, VA, s.page, RWU, HAT_LOAD_LOCK);
	htable_release(ht);
	/* a page of somebody else's */
	r.va = VA + 2 * LARGE;
	ht = hold(hat, r.va, 0, &busy);
	(void)about(want, sizeof(want), NOT_ITS_OWN, r.va, ht);
	expect_harmless("unload one shared page", do_unload_page, want, ht);
	expect_harmless("unload shared pages", do_unload_two, want, ht);
	htable_release(ht);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

/* ------------------------------------------------------------------ pages */

static page_t *victim;

static void
do_pageunload(void)
{
	(void)hat_pageunload(victim, HAT_FORCE_PGUNLOAD);
}
static void
do_demote(void)
{
	hat_page_demote(victim);
}

CHECK(misuse_pages, "misuse-pages", NULL, 0, 0, NULL, 0)
{
	char want[100];

	stage_make(hat);
	for (uint_t i = 0; i < 4; i++) { /* small and large, not locked and locked by others */
		victim = i < 2 ? s.page : s.large + 5;
		if (i % 2 == 0)
			page_unlock(victim);
		else
			page_downgrade(victim);
		snprintf(want, sizeof(want), "E7: hat_pageunload: page 0x%lx is not exclusive-locked", victim->p_pagenum);
		expect_harmless("hat_pageunload", do_pageunload, want, NULL);
		snprintf(want, sizeof(want), "E5: hat_page_demote: page 0x%lx is not exclusive-locked", victim->p_pagenum);
		expect_harmless("hat_page_demote", do_demote, want, NULL);
		check_true(i % 2 == 0 ? page_trylock(victim, true) : page_tryupgrade(victim), "its lock");
	}
	check_eq(s.large->p_szc, 1, "size code of the group");
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

/* ------------------------------------------------------------------ sharing */

static hat_t *client, *source;

static void
do_show(void)
{
	(void)hat_share(client, VA + 4 * LARGE, source, VA, LARGE, 0);
}

CHECK(misuse_share, "misuse-share", NULL, 0, 0, NULL, 0)
{
	hat_t *plain = hat_alloc(NULL), *empty = hat_alloc(NULL);
	char want[100];

	stage_make(hat);
	hat_memload(plain, VA, s.page, RU, HAT_LOAD);
	{ /* has nothing to share; the kernel has no shared tables on either side; nobody shows himself */
		hat_t *const pair[][2] = { { hat, plain }, { hat, kas_hat }, { kas_hat, s.src }, { s.src, s.src },
			{ plain, plain } };

		for (uint_t i = 0; i < NELEM(pair); i++) {
			client = pair[i][0];
			source = pair[i][1];
			snprintf(want, sizeof(want), "S11: hat_share: hat %p cannot show what hat %p has", (void *)client,
			    (void *)source);
			expect_harmless("hat_share", do_show, want, NULL);
		}
	}
	client = hat;
	source = empty;
	expect_harmless("hat_share of nothing", do_show, NULL, NULL);
	hat_unload(plain, VA, PAGESIZE, HAT_UNLOAD);
	hat_free_start(plain);
	hat_free_end(plain);
	hat_free_start(empty);
	hat_free_end(empty);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

#ifndef DEBUG
/* C-23; in a DEBUG kernel it asserts when half of the hat is gone: src/host/test_panic.c. */
CHECK(misuse_purge, "misuse-purge", NULL, 0, 0, NULL, 0)
{
	hat_t *last = hat_alloc(NULL);
	htable_t *ht;
	int32_t busy;

	stage_make(hat);
	ht = hold(s.src, VA, 0, &busy);
	(void)hat_share(last, VA, s.src, VA, LARGE, 0);
	check_eq(ht->ht_busy, busy + 1, "holds on the source");
	hat_free_start(last);
	hat_free_end(last);
	check_eq(ht->ht_busy, busy, "holds on the source after its client has gone");
	htable_release(ht);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}
#endif

/* ------------------------------------------------------------------ the end of an address space */

static hat_t *ending;

static void
do_end(void)
{
	hat_free_end(ending);
}

static void
end_says(void)
{
	char want[160];

	snprintf(want, sizeof(want), "S14: hat_free_end of hat %p, flags 0x%x, which CPUs 0x%lx run", (void *)ending,
	    ending->hat_flags, ending->hat_cpus);
	expect_harmless("hat_free_end", do_end, want, NULL);
}

CHECK(misuse_end, "misuse-end", NULL, 0, 0, NULL, 0)
{
	stage_make(hat);
	ending = hat_alloc(NULL);
	hat_memload(ending, VA, s.page, RU, HAT_LOAD);
	end_says();
	check_eq(hat_probe(ending, VA), 1, "its page");
	hat_unload(ending, VA, PAGESIZE, HAT_UNLOAD);
	hat_free_start(ending);
	hat_setup(ending);
	kpreempt_disable(); /* or it may be switched away */
	end_says();
	kpreempt_enable();
	hat_setup(NULL);
	check_eq(check_invariants(), 0, "broken invariants");
	hat_free_end(ending);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}

/* ------------------------------------------------------------------ CPU-private slots */

static uintptr_t slot;
static paddr_t slot_pa;

static void
do_setup(void)
{
	slot_pa = hat_mempte_setup(slot);
}
static void
do_release(void)
{
	hat_mempte_release(slot, slot_pa);
}

static void
do_remap(void)
{
	kpreempt_disable();
	hat_mempte_remap(s.page->p_pagenum, slot, slot_pa, PROT_READ, HAT_LOAD);
	kpreempt_enable();
}

CHECK(misuse_slots, "misuse-slots", NULL, 0, 0, NULL, 0)
{
	uintptr_t heap = (uintptr_t)vmem_alloc(heap_arena, PAGESIZE, VM_SLEEP);
	const uintptr_t wrong[] = { VA + 16 * LARGE, VA, kernelbase - PAGESIZE, 0, heap + 8 };
	char want[100];

	stage_make(hat);
	for (uint_t i = 0; i < NELEM(wrong); i++) {
		slot = wrong[i];
		slot_pa = 1;
		snprintf(want, sizeof(want), "S9: hat_mempte_setup: 0x%lx is no page of the kernel", slot);
		expect_harmless("hat_mempte_setup", do_setup, want, NULL);
#ifndef DEBUG
		check_eq(slot_pa, 0, "address of a slot that does not exist");
#endif
		snprintf(want, sizeof(want), "S9: hat_mempte_remap: 0x%lx is no page of the kernel", slot);
		expect_harmless("hat_mempte_remap", do_remap, want, NULL);
		snprintf(want, sizeof(want), "S9: hat_mempte_release: 0x%lx is no page of the kernel", slot);
		expect_harmless("hat_mempte_release", do_release, want, NULL);
	}
	vmem_free(heap_arena, (void *)heap, PAGESIZE);
	check_eq(check_invariants(), 0, "broken invariants");
	stage_clear();
}
