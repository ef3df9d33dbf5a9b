/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Every panic of the HAT that a kernel survives, reached on purpose: the text must show the facts, as known here.
 *
 * What a panic leaves behind (holds, a count that goes up first, an entry that is gone) is put back by hand. Each text is also
 * a note, and docs/panics.md says which check must have noted which panic. Those that a running kernel cannot have, or does not
 * survive, are in src/host/test_panic.c.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <hat/hat_md.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <sys/bootinfo.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/vmem.h>
#include <vm/anon.h>
#include <vm/as.h>
#include <vm/image.h>
#include <vm/seg.h>
#include <memmap.h>
#include "holds.h"

#define VA      ((uintptr_t)0x40000000)
#define RU      (PROT_READ | PROT_USER)
#define RWU     (RU | PROT_WRITE)
#define LARGE   (LEVEL_SIZE(1))
#define NLARGE  ((uint_t)(LARGE >> PAGESHIFT))
#define ULL     unsigned long long
#define NO_PAGE ((pfn_t)0xffff0) /**< a frame beyond memory that every format can express */

/** What the functions that are to panic work on. */
static struct {
	hat_t *hat, *other;
	htable_t *ht, *up;
	page_t *pp;
	uintptr_t va;
	pfn_t pfn;
	level_t level;
	uint_t attr, flags, i;
	x86pte_t pte;
} x;

/** Call fn: it must panic, with this very text. */
static void expect_panic(void (*fn)(void), const char *fmt, ...) PRINTFLIKE(2, 3);

static void
call(void *fn)
{
	(*(void (**)(void))fn)();
}

static void
expect_panic(void (*fn)(void), const char *fmt, ...)
{
	char want[160], text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	check_true(check_panics(call, &fn, text, sizeof(text)), "no panic; wanted: %s", want);
	check_note("%s", text);
	if (strcmp(text, want) != 0)
		check_note("wanted: %s", want);
	check_true(strcmp(text, want) == 0, "other facts than: %s", want);
}

/* ------------------------------------------------------------------ what a panic leaves behind */

static page_t *
new_page(void)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page");
	return (pp);
}

static page_t *
new_group(void)
{
	page_t *pp = page_get_large(PAGE_USER, NLARGE);

	check_true(pp != NULL, "no large page");
	return (pp);
}

static void
free_group(page_t *pp)
{
	for (uint_t i = 0; i < NLARGE; i++)
		page_free(pp + i, 0);
}

static paddr_t
entry_pa(const htable_t *ht, uint_t i)
{
	return (pfn_to_pa(ht->ht_pfn) + i * mmu.pte_size);
}

/** An entry, by a route that is not the HAT's. */
static x86pte_t
raw_get(const htable_t *ht, uint_t i)
{
	x86pte_t pte = 0;

	if (ht->ht_flags & HTABLE_VLP)
		return (ht->ht_hat->hat_vlp_ptes[i]);
	check_true(peek_phys(entry_pa(ht, i), &pte, mmu.pte_size), "entry %u of table %p", i, (const void *)ht);
	return (pte);
}

static void
raw_put(htable_t *ht, uint_t i, x86pte_t pte)
{
	if (ht->ht_flags & HTABLE_VLP)
		ht->ht_hat->hat_vlp_ptes[i] = pte;
	else
		check_true(poke_phys(entry_pa(ht, i), &pte, mmu.pte_size), "entry %u of table %p", i, (void *)ht);
}

static uint_t
slot_of(const htable_t *ht, uintptr_t va)
{
	return ((uint_t)(va >> LEVEL_SHIFT(ht->ht_level)) & (HTABLE_NUM_PTES(ht) - 1));
}

static void
lock_table(const htable_t *ht)
{
	mutex_enter(htable_lock(ht->ht_hat, htable_hash(ht->ht_hat, ht->ht_vaddr, ht->ht_level)));
}

/* ------------------------------------------------------------------ levels, links, shares */

static void
do_create(void)
{
	(void)htable_create(x.hat, VA, x.level, NULL);
}
static void
do_alloc(void)
{
	(void)htable_alloc(x.hat, 0, x.level, NULL);
}

CHECK(panic_levels, "panic-levels", NULL, 0, 0, NULL, 0)
{
	const level_t wrong[] = { -1, -128, TOP_LEVEL(hat) + 1, 127 };

	x.hat = hat;
	for (uint_t i = 0; i < NELEM(wrong); i++) {
		x.level = wrong[i];
		expect_panic(do_create, "htable_create: level %d does not exist", wrong[i]);
		expect_panic(do_alloc, "htable_alloc: level %d does not exist", wrong[i]);
	}
}

static void
do_link(void)
{
	static htable_t new;

	new = (htable_t){ .ht_hat = x.hat, .ht_vaddr = VA, .ht_level = 0, .ht_pfn = NO_PAGE };
	lock_table(&new);
	link_ptp(x.up, &new, VA);
}

/* A leaf, and somebody else's link. */
CHECK(panic_link, "panic-link", NULL, 0, 0, NULL, 0)
{
	page_t *large = new_group();
	int32_t busy;

	x.hat = hat;
	for (int round = 0; round < 2; round++) {
		htable_t *low = NULL;
		x86pte_t pte;

		if (round == 0)
			hat_devload(hat, VA, LARGE, large->p_pagenum, RWU, HAT_LOAD);
		else
			low = htable_create(hat, VA, 0, NULL);
		x.up = hold(hat, VA, 1, &busy);
		pte = raw_get(x.up, slot_of(x.up, VA));
		check_eq(PTE2PFN(pte, 1 - round), round == 0 ? large->p_pagenum : low->ht_pfn, "what is in the slot");
		expect_panic(
		    do_link, "link_ptp: slot %u of table %p was not empty: 0x%llx", slot_of(x.up, VA), (void *)x.up, (ULL)pte);
		atomic_dec_int(&x.up->ht_valid_cnt); /* it goes up first */
		if (round == 0)
			hat_unload(hat, VA, LARGE, HAT_UNLOAD);
		htable_release(low);
		htable_release(x.up);
	}
	free_group(large);
}

static void
do_release(void)
{
	htable_release(x.ht);
}
static void
do_cut(void)
{
	lock_table(x.ht);
	htable_cut(x.ht);
}
static void
do_uncut(void)
{
	lock_table(x.ht);
	htable_uncut(x.ht);
}

/* A bit more than our link has; another frame; nothing. */
CHECK(panic_unlink, "panic-unlink", NULL, 0, 0, NULL, 0)
{
	x.hat = hat;
	for (uint_t i = 0; i < 3; i++) {
		x86pte_t link, bad;
		uint_t slot;

		x.ht = htable_create(hat, VA, 0, NULL);
		x.up = x.ht->ht_parent;
		slot = slot_of(x.up, VA);
		link = raw_get(x.up, slot);
		bad = i == 0 ? link | PT_NOCONSIST : i == 1 ? link ^ 0x5000 : 0;
		raw_put(x.up, slot, bad);
		expect_panic(do_release, "unlink_ptp: bad link in slot %u of table %p: found 0x%llx, expected 0x%llx", slot,
		    (void *)x.up, (ULL)bad, (ULL)link);
		expect_panic(
		    do_cut, "htable_cut: bad link to table %p: found 0x%llx, expected 0x%llx", (void *)x.ht, (ULL)bad, (ULL)link);
		raw_put(x.up, slot, link);
		x.ht->ht_flags |= HTABLE_CUT;
		expect_panic(do_uncut, "htable_cut: bad link to table %p: found 0x%llx, expected 0x%llx", (void *)x.ht, (ULL)link,
		    (ULL)PTE_CUT);
		x.ht->ht_flags &= (uint8_t)~HTABLE_CUT;
		check_eq(x.ht->ht_busy, 1, "holds");
		htable_release(x.ht);
	}
}

/** A source with one page at VA, which fills no more than one table. */
static hat_t *
new_source(page_t *pp)
{
	hat_t *src = hat_alloc(NULL);

	hat_memload(src, VA, pp, RU, HAT_LOAD_SHARE);
	return (src);
}

static void
free_source(hat_t *src)
{
	hat_unload(src, VA, PAGESIZE, HAT_UNLOAD);
	hat_free_start(src);
	hat_free_end(src);
}

static void
do_share(void)
{
	(void)hat_share(x.hat, VA, x.other, VA, LARGE, 0);
}

static void
do_share_create(void)
{
	(void)htable_create(x.hat, VA, 0, x.ht);
}

CHECK(panic_share, "panic-share", NULL, 0, 0, NULL, 0)
{
	page_t *pp = new_page();
	hat_t *first = new_source(pp), *second = new_source(pp);
	int32_t busy1, busy2, busy, up;
	htable_t *ht1 = hold(first, VA, 0, &busy1), *ht2 = hold(second, VA, 0, &busy2), *ht;

	x.hat = hat;
	x.other = second;
	check_eq(hat_share(hat, VA, first, VA, LARGE, 0), 0, "hat_share");
	ht = hold(hat, VA, 0, &busy);
	up = ht->ht_parent->ht_busy;
	expect_panic(do_share, "hat_share: table %p shares from %p, not from %p", (void *)ht, (void *)ht1, (void *)ht2);
	back_to(ht, busy);
	back_to(ht2, busy2);
	x.ht = ht2;
	expect_panic(do_share_create, "htable_create: table %p shares from %p, not from %p", (void *)ht, (void *)ht1, (void *)ht2);
	back_to(ht->ht_parent, up);
	back_to(ht, busy);
	check_eq(ht1->ht_busy, busy1 + 1, "holds on the source");
	htable_release(ht);
	hat_unshare(hat, VA, LARGE, 0);
	htable_release(ht1);
	htable_release(ht2);
	free_source(first);
	free_source(second);
	page_free(pp, 0);
}

/* ------------------------------------------------------------------ memory */

static void
do_free_frame(void)
{
	ptable_free(x.pfn);
}
static void
do_alloc_frame(void)
{
	(void)ptable_alloc(0);
}
static void
do_fallback(void)
{
	(void)htable_alloc_fallback(x.hat, false);
}

CHECK(panic_frames, "panic-frames", NULL, 0, 0, NULL, 0)
{
	page_t *pp = new_page();
	pfn_t pfn = pp->p_pagenum;

	x.hat = hat;
	x.pfn = NO_PAGE;
	expect_panic(do_free_frame, "ptable_free: frame 0x%lx has no page", NO_PAGE);
	atomic_inc_32(&active_ptables); /* it goes down first */
#ifdef DEBUG
	atomic_add_long(&hatstat.hs_ptable_frees, -1);
#endif
	/* the next free page has lost its frame */
	page_free(pp, 0);
	pp->p_pagenum = PFN_INVALID;
	expect_panic(do_alloc_frame, "ptable_alloc: page %p has no frame", (void *)pp);
	pp->p_pagenum = pfn;
	check_eq(pp->p_state, PAGE_TABLE, "state of the page that was taken");
	check_true(page_tryupgrade(pp), "its lock");
	page_free(pp, 0);
	page_unresv(1);
	/* as long as stealing is not possible */
	can_steal_post_boot = 0;
	expect_panic(do_fallback, "htable_alloc: no page table can be had and none can be stolen yet");
	can_steal_post_boot = 1;
}

/* ------------------------------------------------------------------ mapping lists */

static void
do_forget(void)
{
	x86_hm_enter(x.pp);
	(void)hment_remove(x.pp, x.ht, x.i);
}

/** A second mapping, by a thread that lives on the reserve. */
static void
do_record(void)
{
	curthread->t_hatdepth = 2;
	hat_memload(x.hat, VA + PAGESIZE, x.pp, RU, HAT_LOAD);
}

static void
expect_unknown(void)
{
	expect_panic(do_forget, "hment_remove: page 0x%lx does not know that entry %u of table %p maps it", x.pp->p_pagenum, x.i,
	    (void *)x.ht);
}

CHECK(panic_records, "panic-records", NULL, 0, 0, NULL, 0)
{
	hment_t *pool = hment_reserve_pool;
	uint_t count = hment_reserve_cnt;
	int32_t busy;

	x.hat = hat;
	x.pp = new_page();
	x.ht = htable_create(hat, VA, 0, NULL);
	x.i = 7;
	expect_unknown(); /* nothing maps it */
	hat_memload(hat, VA, x.pp, RU, HAT_LOAD);
	expect_unknown(); /* one other does, which the page has in itself */
	busy = x.ht->ht_busy;
	hment_reserve_pool = NULL;
	hment_reserve_cnt = 0;
	expect_panic(do_record, "hment_prepare: the reserve is empty");
	hment_reserve_pool = pool;
	hment_reserve_cnt = count;
	back_to(x.ht, busy);
	hat_memload(hat, VA + PAGESIZE, x.pp, RU, HAT_LOAD);
	expect_unknown(); /* two do, on a list */
	hat_unload(hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
	htable_release(x.ht);
	page_free(x.pp, 0);
}

/* ------------------------------------------------------------------ leaves that lie */

static void
do_unload(void)
{
	hat_unload(x.hat, VA, PAGESIZE, HAT_UNLOAD);
}
static void
do_unload_two(void)
{
	hat_unload(x.hat, VA, 2 * PAGESIZE, HAT_UNLOAD);
}
static void
do_protect(void)
{
	hat_chgprot(x.hat, VA, PAGESIZE, RU);
}
static void
do_sync(void)
{
	hat_sync(x.hat, VA, PAGESIZE, HAT_SYNC_ZERORM);
}
static void
do_pageunload(void)
{
	(void)hat_pageunload(x.pp, HAT_FORCE_PGUNLOAD);
}

static x86pte_t
with_frame(x86pte_t pte, pfn_t pfn)
{
	return ((pte & ~PT_PADDR) | pfn_to_pa(pfn));
}

CHECK(panic_leaves, "panic-leaves", NULL, 0, 0, NULL, 0)
{
	void (*const touch[])(void) = { do_unload, do_unload_two, do_protect, do_sync };
	page_t *other = new_page();
	x86pte_t good, bad;
	int32_t busy;
	uint_t slot;

	x.hat = hat;
	x.pp = new_page();
	hat_memload(hat, VA, x.pp, RWU, HAT_LOAD);
	x.ht = hold(hat, VA, 0, &busy);
	slot = slot_of(x.ht, VA);
	good = raw_get(x.ht, slot) | PT_REF | PT_MOD;
	bad = with_frame(good, NO_PAGE);
	for (uint_t i = 0; i < NELEM(touch); i++) {
		raw_put(x.ht, slot, bad);
		expect_panic(touch[i],
		    i < 2 ? "hat_pte_unmap: no page for entry 0x%llx, table %p, slot %u" :
			    "hat: no page for recorded entry 0x%llx, table %p, slot %u",
		    (ULL)bad, (void *)x.ht, slot);
		back_to(x.ht, busy);
	}
	bad = with_frame(good, other->p_pagenum);
	for (uint_t i = 0; i < 2; i++) { /* another page's, and none */
		bad = i == 0 ? bad : 0;
		raw_put(x.ht, slot, bad);
		expect_panic(do_pageunload, "hati_page_unmap: entry 0x%llx does not map page 0x%lx: table %p, slot %u", (ULL)bad,
		    x.pp->p_pagenum, (void *)x.ht, slot);
		back_to(x.ht, busy);
	}
	hat->hat_guests = 0; /* who panicked has not counted down again */
	hat_unflushed = 0;
	raw_put(x.ht, slot, good); /* it is cleared first */
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	htable_release(x.ht);
	page_free(x.pp, 0);
	page_free(other, 0);
}

/* ------------------------------------------------------------------ loading */

static void
do_devload(void)
{
	hat_devload(x.hat, VA, PAGESIZE, x.pfn, x.attr, x.flags);
}

CHECK(panic_devload, "panic-devload", NULL, 0, 0, NULL, 0)
{
	page_t *pp = new_page();
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	int32_t busy = ht->ht_busy;

	x.hat = hat;
	x.flags = HAT_LOAD;
	x.pfn = NO_PAGE;
	for (uint_t order = 0x500; order <= HAT_ORDER_MASK; order += 0x100) {
		x.attr = RU | order;
		expect_panic(do_devload, "hat: attributes 0x%x have no caching order", x.attr);
		back_to(ht, busy);
	}
	x.attr = RU;
	x.pfn = pp->p_pagenum;
	for (x.flags = HAT_LOAD; x.flags <= HAT_LOAD_NOCONSIST; x.flags += HAT_LOAD_NOCONSIST) {
		page_unlock(pp);
		expect_panic(do_devload, "hat_devload: page 0x%lx, to be mapped at 0x%lx, is not locked", x.pfn, VA);
		check_true(page_trylock(pp, false), "its lock");
		hat_devload(hat, VA, PAGESIZE, x.pfn, RU, HAT_LOAD); /* one holder is enough */
		hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
		check_true(page_tryupgrade(pp), "its lock");
	}
	page_free(pp, 0);
	expect_panic(do_devload, "hat_devload: page 0x%lx, to be mapped at 0x%lx, is free", x.pfn, VA);
	htable_release(ht);
}

/** A mapping, and what may not take its place. */
static const struct remap {
	bool old_memory, new_memory; /* or a device's */
	uint_t old_attr, old_flags, new_attr, new_flags;
	bool same; /* frame */
} remaps[] = {
	{ true, true, RWU, HAT_LOAD, RWU, HAT_LOAD, false },
	{ true, true, RWU, HAT_LOAD, RWU, HAT_LOAD_REMAP, false },
	{ true, true, RWU, HAT_LOAD_NOCONSIST, RWU, HAT_LOAD_NOCONSIST, false },
	{ true, true, RWU, HAT_LOAD, RWU, HAT_LOAD_NOCONSIST | HAT_LOAD_REMAP, false },
	{ true, true, RWU, HAT_LOAD_NOCONSIST, RWU, HAT_LOAD | HAT_LOAD_REMAP, false },
	{ true, false, RWU, HAT_LOAD_NOCONSIST, RWU, HAT_LOAD_NOCONSIST | HAT_LOAD_REMAP, false },
	{ false, true, RWU, HAT_LOAD_NOCONSIST, RWU, HAT_LOAD_NOCONSIST | HAT_LOAD_REMAP, false },
	{ true, true, RWU, HAT_LOAD, RWU, HAT_LOAD_NOCONSIST, true },
	{ true, true, RWU, HAT_LOAD, RWU | HAT_NOSYNC, HAT_LOAD, true },
	{ true, true, RWU, HAT_LOAD, PROT_READ, HAT_LOAD, true },
};

/** The entry that the attributes ask for, from the format's rules. */
static x86pte_t
leaf(pfn_t pfn, uint_t attr, uint_t flags, bool memory)
{
	x86pte_t pte = pfn_to_pa(pfn) | PT_VALID;

	pte |= (attr & PROT_WRITE ? PT_WRITABLE : 0) | (attr & PROT_USER ? PT_USER : 0) | (attr & PROT_EXEC ? 0 : mmu.pt_nx);
	if (!memory || (flags & HAT_LOAD_NOCONSIST))
		return (pte | PT_NOCONSIST | PT_REF | PT_MOD);
	return (attr & HAT_NOSYNC ? pte | PT_NOSYNC | PT_REF | PT_MOD : pte);
}

static void
try_remap(const struct remap *r, page_t *a, page_t *b)
{
	pfn_t old_pfn = r->old_memory ? a->p_pagenum : NO_PAGE;
	x86pte_t old = leaf(old_pfn, r->old_attr, r->old_flags, r->old_memory);
	int32_t busy;

	x.pfn = r->same ? old_pfn : r->new_memory ? b->p_pagenum : NO_PAGE;
	x.attr = r->new_attr | HAT_STORECACHING_OK;
	x.flags = r->new_flags;
	hat_devload(x.hat, VA, PAGESIZE, old_pfn, r->old_attr | HAT_STORECACHING_OK, r->old_flags);
	x.ht = hold(x.hat, VA, 0, &busy);
	check_eq(raw_get(x.ht, slot_of(x.ht, VA)), old, "the entry to be replaced");
	expect_panic(do_devload, "hat: mapping cannot become another: old entry 0x%llx, new entry 0x%llx, level %d", (ULL)old,
	    (ULL)leaf(x.pfn, r->new_attr, r->new_flags, r->new_memory), 0);
	raw_put(x.ht, slot_of(x.ht, VA), old); /* it is replaced first */
	back_to(x.ht, busy);
	hat_unload(x.hat, VA, PAGESIZE, HAT_UNLOAD);
	htable_release(x.ht);
}

CHECK(panic_remap, "panic-remap", NULL, 0, 0, NULL, 0)
{
	page_t *a = new_page(), *b = new_page();

	x.hat = hat;
	for (uint_t i = 0; i < NELEM(remaps); i++)
		try_remap(&remaps[i], a, b);
	page_free(a, 0);
	page_free(b, 0);
}

static void
do_beyond(void)
{
	(void)hati_load_common(x.hat, x.va, NULL, RU, HAT_LOAD, VLP_LEVEL, NO_PAGE);
}

/* The table over an address does not reach it: only where a top table covers less than all. */
CHECK(panic_covers, "panic-covers", NULL, 0, 0, NULL, 0)
{
	static struct as narrow = { .a_32bit = true };
	hat_t *small;
	int32_t busy;

	(void)hat;
	if (mmu.max_level == VLP_LEVEL || !md_hat_is_vlp(&narrow))
		return; /* 32-bit kernel: see src/tests/test_panics.py */
	x.hat = small = hat_alloc(&narrow);
	x.ht = hold(small, 0, VLP_LEVEL, &busy);
	x.va = (uintptr_t)(5 * (uint64_t)0x40000000);
	expect_panic(do_beyond, "hat: table %p of 0x%lx does not cover 0x%lx", (void *)x.ht, 0ul, x.va);
	back_to(x.ht, busy);
	htable_release(x.ht);
	hat_free_start(small);
	hat_free_end(small);
}

/* ------------------------------------------------------------------ large pages that would be cut */

static uintptr_t cut_from;
static size_t cut_len;

static void
do_cut_unload(void)
{
	hat_unload(x.hat, cut_from, cut_len, HAT_UNLOAD);
}
static void
do_cut_callback(void)
{
	hat_unload_callback(x.hat, cut_from, cut_len, HAT_UNLOAD, NULL);
}
static void
do_cut_chgprot(void)
{
	hat_chgprot(x.hat, cut_from, cut_len, RU);
}
static void
do_cut_setattr(void)
{
	hat_setattr(x.hat, cut_from, cut_len, PROT_EXEC | HAT_NOSYNC);
}
static void
do_cut_clrattr(void)
{
	hat_clrattr(x.hat, cut_from, cut_len, PROT_WRITE);
}
static void
do_cut_chgattr(void)
{
	hat_chgattr(x.hat, cut_from, cut_len, RU);
}

static const struct {
	const char *who;
	void (*fn)(void);
} cutters[] = {
	{ "hat_unload", do_cut_unload },
	{ "hat_unload", do_cut_callback },
	{ "hat_chgprot", do_cut_chgprot },
	{ "hat_setattr", do_cut_setattr },
	{ "hat_clrattr", do_cut_clrattr },
	{ "hat_chgattr", do_cut_chgattr },
};

/* C-43: its inside, one page or more, its head, its tail and beyond; on small pages before it nothing is said about. */
CHECK(panic_cut, "panic-cut", NULL, 0, 0, NULL, 0)
{
	const struct {
		uintptr_t off;
		size_t len;
	} range[] = {
		{ PAGESIZE, PAGESIZE },
		{ 5 * PAGESIZE, 7 * PAGESIZE },
		{ 0, PAGESIZE },
		{ 0, LARGE - PAGESIZE },
		{ LARGE - PAGESIZE, PAGESIZE },
		{ LARGE - PAGESIZE, 3 * PAGESIZE },
		{ PAGESIZE, LARGE - PAGESIZE },
	};
	page_t *large = new_group();
	int32_t busy;

	x.hat = hat;
	hat_devload(hat, VA, LARGE, large->p_pagenum, RWU, HAT_LOAD);
	x.ht = hold(hat, VA, 1, &busy);
	for (uint_t i = 0; i < NELEM(cutters); i++)
		for (uint_t r = 0; r < NELEM(range); r++) {
			cut_from = VA + range[r].off;
			cut_len = range[r].len;
			expect_panic(cutters[i].fn, "%s: 0x%lx-0x%lx cuts the large page at 0x%lx", cutters[i].who, cut_from,
			    cut_from + cut_len - 1, VA);
			back_to(x.ht, busy);
		}
	check_eq(hat_getpfnum(hat, VA), large->p_pagenum, "the large page");
	htable_release(x.ht);
	hat_unload(hat, VA, LARGE, HAT_UNLOAD);
	free_group(large);
}

/* ------------------------------------------------------------------ CPU-private slots */

static void
do_slot(void)
{
	(void)hat_mempte_setup(x.va);
}
static void
do_unslot(void)
{
	hat_mempte_release(x.va, 0);
}

CHECK(panic_slots, "panic-slots", NULL, 0, 0, NULL, 0)
{
	uintptr_t heap = (uintptr_t)vmem_alloc(heap_arena, (HAT_NMEMPTE + 1) * PAGESIZE, VM_SLEEP), mapped;
	paddr_t pa[HAT_NMEMPTE] = { 0 };
	int32_t busy;
	uint_t n = 0;

	(void)hat;
	x.va = mapped = (uintptr_t)kmem_alloc(PAGESIZE, KM_SLEEP);
	x.ht = hold(kas_hat, mapped, 0, &busy);
	expect_panic(do_slot, "hat_mempte_setup: 0x%lx is mapped: 0x%llx", mapped, (ULL)raw_get(x.ht, slot_of(x.ht, mapped)));
	back_to(x.ht, busy);
	expect_panic(do_unslot, "hat_mempte: 0x%lx has no slot, or there are no more than %u", mapped, HAT_NMEMPTE);
	back_to(x.ht, busy);
	htable_release(x.ht);
	*(volatile char *)mapped = 1; /* it is still there */
	kmem_free((void *)mapped, PAGESIZE);
	/* one more than there are */
	for (uint_t i = 0; i < HAT_NMEMPTE; i++)
		n += hat_mempte_va[i] == 0;
	for (uint_t i = 0; i < n; i++)
		pa[i] = hat_mempte_setup(heap + i * PAGESIZE);
	x.va = heap + n * PAGESIZE;
	htable_release(htable_create(kas_hat, x.va, 0, NULL));
	x.ht = hold(kas_hat, heap, 0, &busy);
	expect_panic(do_slot, "hat_mempte: 0x%lx has no slot, or there are no more than %u", x.va, HAT_NMEMPTE);
	back_to(x.ht, busy);
	for (uint_t i = 0; i < n; i++)
		hat_mempte_release(heap + i * PAGESIZE, pa[i]);
	htable_release(x.ht);
	vmem_free(heap_arena, (void *)heap, (HAT_NMEMPTE + 1) * PAGESIZE);
	x.va = HEAP_END - PAGESIZE;
	if (mmu.max_level == 1)
		return; /* all of the kernel's tables exist from the start */
	x.ht = htable_lookup(kas_hat, x.va, 0);
	htable_release(x.ht);
	check_true(x.ht == NULL, "the end of the heap is used");
	expect_panic(do_unslot, "hat_mempte_release: 0x%lx has no table", x.va);
}

/* ------------------------------------------------------------------ the rest */

static void
do_kbm_map(void)
{
	kbm_map(VA, 0x100000, 0);
}
static void
do_kbm_unmap(void)
{
	kbm_unmap(VA);
}
static void
do_kbm_read_only(void)
{
	kbm_read_only(VA);
}
static void
do_kbm_make_table(void)
{
	kbm_make_table(VA, 0);
}
static void
do_supported(void)
{
	(void)hat_supported((enum hat_feature)x.i);
}
static void
do_kernelbase(void)
{
	(void)hat_kernelbase(x.va);
}
static void
do_kpm_fault(void)
{
	hat_kpm_fault(x.va);
}
static void
do_segkmem_free(void)
{
	segkmem_free(heap_arena, (void *)x.va, PAGESIZE);
}

static void
do_vlp_init(void)
{
	static struct hat_cpu_info info;

	md_vlp_init((int)x.i, &info);
}

CHECK(panic_misc, "panic-misc", NULL, 0, 0, NULL, 0)
{
	void (*const boot[])(void) = { do_kbm_map, do_kbm_unmap, do_kbm_read_only, do_kbm_make_table };

	(void)hat;
	for (uint_t i = 0; i < NELEM(boot); i++)
		expect_panic(boot[i], "boot mapper used for 0x%lx after the HAT took over", VA);
	x.i = 77;
	expect_panic(do_supported, "hat_supported: unknown feature %d", 77);
	x.va = VA + 0x123;
	expect_panic(do_kpm_fault, "hat_kpm_fault: 0x%lx in the linear map is no memory", x.va);
	x.va = (uintptr_t)vmem_alloc(heap_arena, PAGESIZE, VM_SLEEP);
	expect_panic(do_segkmem_free, "segkmem_free: nothing is mapped at 0x%lx", x.va);
	vmem_free(heap_arena, (void *)x.va, PAGESIZE);
	if (mmu.hole_end != 0) {
		const uintptr_t in[] = { mmu.hole_start, mmu.hole_start + LEVEL_SIZE(3), mmu.hole_end - PAGEOFFSET };

		for (uint_t i = 0; i < NELEM(in); i++) {
			x.va = in[i];
			expect_panic(do_kernelbase, "hat_kernelbase: 0x%lx is in the hole", x.va);
		}
	}
}

/* Decision 5: one page of directory pointers has room for 127 CPUs. */
CHECK(panic_cpus, "panic-cpus", NULL, 0, 0, NULL, 0)
{
	(void)hat;
	if (mmu.top_level_count != VLP_NUM_PTES)
		return;
	x.i = 126;
	do_vlp_init();
	for (x.i = 127; x.i < 130; x.i++)
		expect_panic(do_vlp_init, "CPU %u: at most 127 CPUs fit the page of directory pointers", x.i);
}

static void
do_fill(void)
{
	static const struct image image = { .im_name = "short", .im_size = 3000, .im_mem = (const void *)VA };
	const struct seg seg = { .s_base = VA, .s_size = PAGESIZE, .s_image = &image, .s_filesz = 4000, .s_off = PAGESIZE };
	struct anon an = { .an_page = x.pp };

	seg_fill(&seg, VA, &an);
}

CHECK(panic_image, "panic-image", NULL, 0, 0, NULL, 0)
{
	(void)hat;
	x.pp = new_page();
	expect_panic(do_fill, "seg_fill: short ends before offset 0x%lx", (ulong_t)PAGESIZE + 4000);
	page_free(x.pp, 0);
}
