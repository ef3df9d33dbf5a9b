/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One step of a history: the call of the HAT, the model's side of it, and whether they agree.
 */
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <vm/page.h>

/** Where a step acts. */
struct place {
	struct model *m;
	struct model_region *r;
	uint_t i, n; /* units */
};

static struct {
	hat_t *hat;
	struct model *m;
	uintptr_t va;
	struct model_page was;
} lost; /* a page that was stolen lately */

/** False: no such space or region now, or the units are not all in it. */
static bool
find_place(const struct op *op, struct place *at)
{
	at->m = history_space(op->space);
	if (at->m == NULL || model_find(at->m, op->va, &at->r) == NULL)
		return (false);
	at->i = (uint_t)((op->va - at->r->base) >> at->r->shift);
	at->n = op->n;
	return (true);
}

static size_t
bytes_of(const struct place *at)
{
	return ((size_t)at->n << at->r->shift);
}

/* ------------------------------------------------------------------ the model's side */

static bool
all_unmapped(const struct model_region *r, uint_t i, uint_t n)
{
	for (uint_t k = i; k < i + n; k++)
		if (k >= r->n || r->page[k].level >= 0)
			return (false);
	return (true);
}

/** Widen to whole leaves, inside the region. @return how many locked leaves are in it, or -1: some are and some are not */
static int
whole_leaves(struct place *at)
{
	const struct model_region *r = at->r;
	uint_t i = at->i, end = MIN(at->i + at->n, r->n), mapped = 0, locked = 0;

	if (r->page[i].level >= 0)
		i &= -model_units(r, r->page[i].level);
	at->i = i;
	while (i < end) {
		mapped += r->page[i].level >= 0;
		locked += r->page[i].locked;
		i += r->page[i].level >= 0 ? model_units(r, r->page[i].level) : 1;
	}
	at->n = i - at->i;
	return (locked != 0 && locked != mapped ? -1 : (int)locked);
}

static void
look_at(uintptr_t va, uint_t pages)
{
	uint_t bad = 0;

	for (uint_t i = 0; i < pages; i++)
		bad += mmu_verify_page(va + i * PAGESIZE, host_exempt());
	expect(bad == 0, "%u translations are left behind", bad);
}

/* ------------------------------------------------------------------ mapping and unmapping */

/** Map one page, or the same page again with other permissions. */
static bool
do_load(const struct op *op)
{
	struct model_page *p, new = { .pfn = history_pfn(op->frame), .attr = (uint16_t)op->attr };
	struct place at;
	uint_t attr = op->attr, flags = op->flags;

	if (!find_place(op, &at) || at.r->shift != PAGESHIFT || !FRAME_HAS_PAGE(op->frame))
		return (false);
	p = &at.r->page[at.i];
	if (p->level > 0 || p->device)
		return (false);
	if (p->level == 0) {
		attr = (attr & (PROT_WRITE | PROT_EXEC)) | (p->attr & ~(uint_t)(PROT_WRITE | PROT_EXEC));
		hat_memload(at.m->hat, op->va, page_numtopp_nolock(p->pfn), attr, HAT_LOAD);
		p->attr = (uint16_t)attr;
		look_at(op->va, 1);
		return (true);
	}
	if (at.m->kernel)
		flags &= ~(uint_t)HAT_LOAD_LOCK;
	new.locked = (flags & HAT_LOAD_LOCK) != 0;
	hat_memload(at.m->hat, op->va, page_numtopp_nolock(new.pfn), attr, flags);
	model_map(at.m, at.r, at.i, &new);
	return (true);
}

static bool
do_devload(const struct op *op)
{
	bool device = !FRAME_HAS_PAGE(op->frame);
	uint_t attr = op->attr & ~(uint_t)(device ? HAT_NOSYNC : 0);
	pfn_t pfn = history_pfn(op->frame);
	struct place at;

	if (!find_place(op, &at) || !all_unmapped(at.r, at.i, at.n) || (FRAME_KIND(op->frame) == 3) != (at.r->shift > PAGESHIFT))
		return (false);
	hat_devload(at.m->hat, op->va, bytes_of(&at), pfn, attr, HAT_LOAD);
	while (at.n > 0) {
		struct model_page new = { .pfn = pfn, .attr = (uint16_t)attr, .device = device };
		uint_t units;

		new.level = model_level(at.m, model_va(at.r, at.i), pfn, bytes_of(&at));
		units = model_units(at.r, new.level);
		model_map(at.m, at.r, at.i, &new);
		at.i += units;
		at.n -= units;
		pfn += (pfn_t)units << (at.r->shift - PAGESHIFT);
	}
	return (true);
}

static void
unload(struct place at, uint_t flags)
{
	uint_t pages = MIN(at.n, 16u), i = at.i;
	uintptr_t va = model_va(at.r, i);

	hat_unload(at.m->hat, va, bytes_of(&at), flags);
	while (i < at.i + at.n)
		i = model_unmap(at.m, at.r, i);
	look_at(va, pages);
}

static bool
do_unload(const struct op *op)
{
	struct place at;
	int locked;

	if (!find_place(op, &at) || (locked = whole_leaves(&at)) < 0)
		return (false);
	htable_dont_cache = op->flags;
	unload(at, locked != 0 ? HAT_UNLOAD_UNLOCK : HAT_UNLOAD);
	htable_dont_cache = 0;
	return (true);
}

static bool
any_locked(const struct model *m)
{
	for (uint_t k = 0; k < m->nregions; k++)
		for (uint_t i = 0; i < m->region[k].n; i++)
			if (m->region[k].page[i].locked)
				return (true);
	return (false);
}

/** Everything a user has. */
static bool
do_unload_all(const struct op *op)
{
	struct model *m = history_space(op->space);

	if (m == NULL || m->kernel || any_locked(m))
		return (false);
	host_unload_user(m->hat);
	model_clear(m);
	expect(mmu_verify(host_exempt()) == 0, "translations are left behind");
	return (true);
}

/** A table of small pages goes as a whole, or, with a locked page in it, not at all. @return the first unit after it */
static uint_t
swap_table(struct model *m, struct model_region *r, uint_t i)
{
	uint_t end = model_table_end(r, i), locked = 0;

	for (uint_t k = i; k < end; k++)
		locked += r->page[k].locked;
	for (uint_t k = i; k < end && locked == 0;)
		k = model_unmap(m, r, k);
	return (end);
}

static bool
do_swapout(const struct op *op)
{
	struct model *m = history_space(op->space);

	if (m == NULL || m->kernel)
		return (false);
	hat_swapout(m->hat);
	for (uint_t k = 0; k < m->nregions; k++)
		for (uint_t i = 0; i < m->region[k].n;)
			i = swap_table(m, &m->region[k], i);
	expect(mmu_verify(host_exempt()) == 0, "translations are left behind");
	return (true);
}

/* ------------------------------------------------------------------ attributes, accessed and dirty */

static bool
is_recorded(const struct model_page *p)
{
	return (p->level >= 0 && !p->device);
}

static uint_t
changed_attr(const struct op *op, uint_t old)
{
	switch (op->kind) {
	case OP_SETATTR:
		return (model_setattr(old, op->attr));
	case OP_CLRATTR:
		return (model_clrattr(old, op->attr));
	case OP_CHGATTR:
		return (model_chgattr(old, op->attr));
	default:
		return (model_chgprot(old, op->attr));
	}
}

/** The bits that the MMU has surely set in a leaf are in its page now; what it sets later is not known. */
static void
expect_collected(struct model_page *p, uintptr_t va)
{
	uint8_t want = (p->ref ? P_REF : 0) | (p->mod ? P_MOD : 0), have = page_numtopp_nolock(p->pfn)->p_nrm;

	expect((have & want) == want, "0x%lx: of its bits 0x%x was lost: its page 0x%lx has 0x%x", va, want, p->pfn, have);
}

/** Whoever takes write permission away, or stops collecting, finds the bits in the page (spec 9.3). */
static void
attr_leaf(const struct op *op, struct model_region *r, uint_t i)
{
	uint_t new = changed_attr(op, r->page[i].attr);

	if (model_collects(&r->page[i], new))
		expect_collected(&r->page[i], model_va(r, i));
	model_change(r, i, new);
}

static void
sync_leaf(const struct op *op, struct model_region *r, uint_t i)
{
	struct model_page *p = &r->page[i];

	if (p->attr & HAT_NOSYNC)
		return;
	expect_collected(p, model_va(r, i));
	if (op->flags & HAT_SYNC_ZERORM)
		p->ref = p->mod = false;
}

/** For each recorded leaf of a place; nothing is known of its page before the call. */
static void
each_leaf(const struct op *op, const struct place *at, void (*func)(const struct op *, struct model_region *, uint_t))
{
	for (uint_t i = at->i; i < at->i + at->n;) {
		struct model_page *p = &at->r->page[i];
		uint_t n = p->level >= 0 ? model_units(at->r, p->level) : 1;

		if (is_recorded(p))
			func(op, at->r, i);
		i += n;
	}
}

static void
forget_bits(const struct op *op, struct model_region *r, uint_t i)
{
	(void)op;
	page_numtopp_nolock(r->page[i].pfn)->p_nrm = 0;
}

static bool
do_attributes(const struct op *op)
{
	struct place at;
	uintptr_t va;

	if (!find_place(op, &at))
		return (false);
	(void)whole_leaves(&at);
	each_leaf(op, &at, forget_bits);
	va = model_va(at.r, at.i);
	if (op->kind == OP_SETATTR)
		hat_setattr(at.m->hat, va, bytes_of(&at), op->attr & MODEL_CHANGEABLE);
	else if (op->kind == OP_CLRATTR)
		hat_clrattr(at.m->hat, va, bytes_of(&at), op->attr & MODEL_CHANGEABLE);
	else if (op->kind == OP_CHGATTR)
		hat_chgattr(at.m->hat, va, bytes_of(&at), op->attr);
	else
		hat_chgprot(at.m->hat, va, bytes_of(&at), op->attr & HAT_PROT_MASK);
	each_leaf(op, &at, attr_leaf);
	look_at(va, MIN(at.n, 16u));
	return (true);
}

static bool
do_sync(const struct op *op)
{
	struct place at;

	if (!find_place(op, &at))
		return (false);
	(void)whole_leaves(&at);
	each_leaf(op, &at, forget_bits);
	hat_sync(at.m->hat, model_va(at.r, at.i), bytes_of(&at), op->flags);
	each_leaf(op, &at, sync_leaf);
	look_at(model_va(at.r, at.i), MIN(at.n, 16u));
	return (true);
}

/* ------------------------------------------------------------------ all mappings of a page */

/** A leaf that contains the frame of a step: unit i is that frame. */
struct mapping {
	struct model *m;
	struct model_region *r;
	uint_t i;
};

static struct mapping mappings[8192];
static uint_t nmappings;

static void
find_mappings(pfn_t pfn)
{
	nmappings = 0;
	for (int s = KERNEL_SPACE; s < (int)SPACES; s++) {
		struct model *m = history_space(s);

		for (uint_t k = 0; m != NULL && k < m->nregions; k++)
			for (uint_t i = 0; m->region[k].mapped != 0 && i < m->region[k].n; i++) {
				struct model_page *p = &m->region[k].page[i];

				if (p->pfn != pfn || !is_recorded(p))
					continue;
				expect(nmappings < NELEM(mappings), "page 0x%lx is mapped too often", pfn);
				mappings[nmappings++] = (struct mapping){ m, &m->region[k], i };
			}
	}
}

static uint_t
leaf_of(const struct mapping *at)
{
	return (at->i & -model_units(at->r, at->r->page[at->i].level));
}

static bool
any_locked_mapping(void)
{
	for (uint_t k = 0; k < nmappings; k++)
		if (mappings[k].r->page[mappings[k].i].locked)
			return (true);
	return (false);
}

static void
unmap_mapping(const struct mapping *at)
{
	uint_t first = leaf_of(at);

	if (!(at->r->page[first].attr & HAT_NOSYNC))
		expect_collected(&at->r->page[first], model_va(at->r, first));
	(void)model_unmap(at->m, at->r, first);
	look_at(model_va(at->r, at->i), 1);
}

static bool
do_page(const struct op *op)
{
	page_t *pp = page_numtopp_nolock(history_pfn(op->frame));

	if (pp == NULL)
		return (false);
	find_mappings(pp->p_pagenum);
	if (op->kind == OP_PAGEUNLOAD && any_locked_mapping())
		return (false);
	pp->p_nrm = 0;
	for (uint_t k = 0; k < nmappings; k++) /* a leaf's bits are looked for in the page where it begins */
		forget_bits(op, mappings[k].r, leaf_of(&mappings[k]));
	if (op->kind == OP_PAGEUNLOAD) {
		expect(hat_pageunload(pp, HAT_FORCE_PGUNLOAD) == 0, "page 0x%lx: not unloaded", pp->p_pagenum);
		for (uint_t k = 0; k < nmappings; k++)
			unmap_mapping(&mappings[k]);
		expect(hat_page_getshare(pp) == 0, "page 0x%lx is unloaded and still mapped", pp->p_pagenum);
	} else {
		(void)hat_pagesync(pp, op->flags);
		for (uint_t k = 0; k < nmappings; k++)
			sync_leaf(op, mappings[k].r, leaf_of(&mappings[k]));
	}
	return (true);
}

/* ------------------------------------------------------------------ reaching */

/** What an access through the pretend MMU does must be what the model says. */
static bool
do_touch(const struct op *op)
{
	struct model_page *p;
	struct place at;
	uint_t fault;
	paddr_t pa = 0;

	if (!find_place(op, &at) || (!at.m->kernel && at.m != history_running()))
		return (false);
	p = &at.r->page[at.i];
	fault = mmu_access(op->va, op->flags, &pa);
	expect((fault == 0) == model_allows(at.m, p, op->flags), "access 0x%x to 0x%lx: fault 0x%x, mapped %d, attributes 0x%x",
	    op->flags, op->va, fault, p->level, p->attr);
	expect(!(fault & MMU_RESERVED), "an entry over 0x%lx has reserved bits", op->va);
	if (fault != 0)
		return (true);
	expect(pa == pfn_to_pa(p->pfn) + (op->va & ((1ul << at.r->shift) - 1)), "0x%lx leads to 0x%llx, not to frame 0x%lx", op->va,
	    (unsigned long long)pa, p->pfn);
	if (LEVEL_SHIFT(p->level) < at.r->shift)
		return (true);
	model_leaf(at.r, at.i)->ref = true;
	model_leaf(at.r, at.i)->mod |= (op->flags & MMU_WRITE) != 0;
	return (true);
}

static bool
do_lookup(const struct op *op)
{
	struct place at;
	pfn_t have, want;

	if (!find_place(op, &at))
		return (false);
	want = at.r->page[at.i].level < 0 ? PFN_INVALID : at.r->page[at.i].pfn + ((op->va - model_va(at.r, at.i)) >> PAGESHIFT);
	have = hat_getpfnum(at.m->hat, op->va);
	expect(have == want, "hat_getpfnum(0x%lx) is 0x%lx instead of 0x%lx", op->va, have, want);
	return (true);
}

/* ------------------------------------------------------------------ address spaces and CPUs */

static bool
do_switch(const struct op *op)
{
	struct model *m = history_space(op->space);

	hat_setup(m == NULL || m->kernel ? NULL : m->hat);
	return (true);
}

static bool
do_alloc(const struct op *op)
{
	struct model *m = &history.space[op->space];

	if (m->used)
		return (false);
	m->as.a_32bit = op->flags != 0;
	model_init(m, false);
	m->hat = m->as.a_hat = hat_alloc(&m->as);
	m->used = true;
	return (true);
}

static void
unlock_all(struct model *m)
{
	for (uint_t k = 0; k < m->nregions; k++)
		for (uint_t i = 0; i < m->region[k].n; i++)
			if (m->region[k].page[i].locked)
				hat_unlock(m->hat, model_va(&m->region[k], i), PAGESIZE);
}

/** All CPUs leave it, then it goes with everything that it has. */
static bool
do_free(const struct op *op)
{
	struct model *m = history_space(op->space);
	int me = CPU->cpu_id;

	if (m == NULL)
		return (false);
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		if (CPU->cpu_current_hat == m->hat)
			hat_setup(NULL);
	}
	host_on(me);
	unlock_all(m);
	host_free_space(m->hat);
	m->used = false;
	m->hat = NULL;
	return (true);
}

/** As the idle thread does it: the kernel's tables first, then the mark; flushes wait until it wakes. */
static bool
do_sleep(const struct op *op)
{
	if (op->cpu == 0)
		return (false);
	hat_setup(NULL);
	tlb_going_idle();
	return (true);
}

static bool
do_wake(const struct op *op)
{
	(void)op;
	tlb_service();
	return (true);
}

/* ------------------------------------------------------------------ thieves */

/** Nothing is known of any page: what a thief finds in a table he must put there. */
static void
clear_bits(void)
{
	for (uint_t i = 0; i < SMALL_FRAMES; i++)
		history_page(SMALL(i))->p_nrm = 0;
	for (uint_t i = 0; i < CHUNKS; i++)
		for (page_t *pp = history_page(CHUNK(i, 0)), *end = pp + (LEVEL_SIZE(1) >> PAGESHIFT); pp < end; pp++)
			pp->p_nrm = 0;
}

static bool
do_reap(const struct op *op)
{
	(void)op;
	clear_bits();
	history.reaping = true;
	htable_reap(NULL);
	return (true);
}

static bool
do_purge(const struct op *op)
{
	struct model *m = history_space(op->space);

	if (m == NULL)
		return (false);
	htable_purge_hat(m->hat);
	return (true);
}

static void
note_lost(struct model *m, uintptr_t va, const struct model_page *was)
{
	if (lost.m != NULL && (va >> PAGESHIFT) % 5 != 0)
		return;
	lost.hat = m->hat;
	lost.m = m;
	lost.va = va;
	lost.was = *was;
}

void
history_look_for_thieves(const struct op *op)
{
	static ulong_t before;
	ulong_t now = hatstat.hs_steals + hatstat.hs_reap_attempts;
	struct place at;
	size_t len = 0;

	if (now != before && op != NULL) {
		expect(history.scarce || history.reaping, "tables are looked for that can be stolen, and memory is not short");
		if ((op->kind == OP_LOAD || op->kind == OP_DEVLOAD || op->kind == OP_REFAULT) && find_place(op, &at))
			len = bytes_of(&at);
		for (int i = 0; i < (int)SPACES; i++)
			if (history.space[i].used)
				history.stolen += theft_judge(&history.space[i], op->va, op->space == i ? len : 0, note_lost);
		expect(mmu_verify(host_exempt()) == 0, "P5 is broken");
	}
	before = now;
	history.reaping = false;
}

/** What a fault does with a page that was stolen: load it again. */
static bool
do_refault(const struct op *op)
{
	struct model_region *r;
	struct model_page *p;
	paddr_t pa = 0;

	(void)op;
	if (lost.m == NULL || !lost.m->used || lost.m->hat != lost.hat)
		return (false);
	p = model_find(lost.m, lost.va, &r);
	if (p == NULL || r->shift != PAGESHIFT || p->level >= 0)
		return (false);
	hat_setup(lost.hat);
	expect(mmu_access(lost.va, 0, &pa) != 0, "0x%lx is stolen and can be reached", lost.va);
	if (lost.was.device)
		hat_devload(lost.hat, lost.va, PAGESIZE, lost.was.pfn, lost.was.attr, HAT_LOAD);
	else
		hat_memload(lost.hat, lost.va, page_numtopp_nolock(lost.was.pfn), lost.was.attr, HAT_LOAD);
	lost.was.ref = lost.was.mod = false;
	model_map(lost.m, r, (uint_t)(p - r->page), &lost.was);
	expect(mmu_access(lost.va, 0, &pa) == 0 && pa == pfn_to_pa(p->pfn), "0x%lx was loaded again and leads to 0x%llx", lost.va,
	    (unsigned long long)pa);
	p->ref = true;
	lost.m = NULL;
	history.returned++;
	return (true);
}

/* ------------------------------------------------------------------ all of them */

static bool (*const does[OP_NKINDS])(const struct op *) = {
	[OP_TOUCH] = do_touch,
	[OP_LOAD] = do_load,
	[OP_DEVLOAD] = do_devload,
	[OP_UNLOAD] = do_unload,
	[OP_UNLOAD_ALL] = do_unload_all,
	[OP_SWAPOUT] = do_swapout,
	[OP_SETATTR] = do_attributes,
	[OP_CLRATTR] = do_attributes,
	[OP_CHGATTR] = do_attributes,
	[OP_CHGPROT] = do_attributes,
	[OP_SYNC] = do_sync,
	[OP_PAGEUNLOAD] = do_page,
	[OP_PAGESYNC] = do_page,
	[OP_LOOKUP] = do_lookup,
	[OP_SWITCH] = do_switch,
	[OP_ALLOC] = do_alloc,
	[OP_FREE] = do_free,
	[OP_REAP] = do_reap,
	[OP_PURGE] = do_purge,
	[OP_SLEEP] = do_sleep,
	[OP_WAKE] = do_wake,
	[OP_REFAULT] = do_refault,
};

bool
history_apply(const struct op *op)
{
	bool done;

	if (op->cpu >= ncpus || (op->kind == OP_WAKE) != history_asleep(op->cpu))
		return (false);
	host_on(op->cpu);
	if (history.scarce)
		clear_bits();
	done = does[op->kind](op);
	history.calls += done && op->kind != OP_TOUCH;
	history_look_for_thieves(op);
	return (done);
}
