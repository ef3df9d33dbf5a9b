/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Long random histories of HAT calls on several CPUs, against the model.
 *
 * After each step every translation that any CPU remembers of the page in question must be covered by the tables; every few
 * steps all of them; every `every` steps model, walker, htable_walk(), TLBs and invariants are compared completely. At the
 * end everything is given back and all counts are what they were.
 */
#include <host/compare.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/model.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <vm/page.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define SPACES      5u             /**< user address spaces at most */
#define SMALL       256u           /**< frames to map */
#define CHUNKS      4u             /**< large ones */
#define DEVICE      0xe0000000ull  /**< physical addresses without memory: 2 MiB pages */
#define DEVICE_1G   0x100000000ull /**< and 1 GiB pages */
#define LARGE_UNITS (uint_t)(LEVEL_SIZE(1) >> PAGESHIFT)
#define RECENT      20u
#define LOOK_EVERY  8u /**< steps from one look at all TLBs to the next */

/** One call, as it is told when something goes wrong. */
struct op {
	const char *name;
	int cpu, space; /* space -1: the kernel */
	uintptr_t va;
	size_t len;
	pfn_t pfn;
	uint_t attr, flags;
};

static struct model spaces[SPACES], kernel;
static pfn_t small[SMALL], chunk[CHUNKS];
static struct op recent[RECENT];
static ulong_t step, done[16];
static bool scarce;              /* memory fails on purpose: tables may be stolen in any step */
static bool reaping;             /* this step has asked for it */
static ulong_t thefts;           /* hunts for tables up to the last step */
static ulong_t stolen, returned; /* pages */
static struct {
	hat_t *hat;
	struct model *m;
	uintptr_t va;
	struct model_page was;
} lost; /* one that was stolen lately */
static uint64_t random_state;

/* ------------------------------------------------------------------ chance and memory of what was done */

/** A number below n [Marsaglia's xorshift, multiplied]. */
static uint_t
rnd(uint_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return ((uint_t)((random_state * 0x2545f4914f6cdd1dull) >> 33) % n);
}

static bool
chance(uint_t percent)
{
	return (rnd(100) < percent);
}

static void
tell(const char *name, const struct model *m, uintptr_t va, size_t len, pfn_t pfn, uint_t attr, uint_t flags)
{
	recent[step % RECENT] = (struct op){ name, CPU->cpu_id,
		m == &kernel  ? -1 :
		    m == NULL ? -2 :
				(int)(m - spaces),
		va, len, pfn, attr, flags };
}

static void
last_words(void)
{
	const struct machine_options *o = host_options;

	printf("the last steps before and including %lu:\n", step);
	for (ulong_t s = step < RECENT ? 0 : step - RECENT + 1; s <= step; s++) {
		const struct op *p = &recent[s % RECENT];

		if (p->name == NULL)
			continue;
		printf("  %6lu cpu%d %-8s space %2d va 0x%lx len 0x%lx pfn 0x%lx attr 0x%x flags 0x%x\n", s, p->cpu, p->name,
		    p->space, p->va, (ulong_t)p->len, p->pfn, p->attr, p->flags);
	}
	printf("repeat it with:\n  %s --test history --cpus %u --seed %lu --steps %lu --every %lu", o->program, o->cpus, o->seed,
	    step + 1, o->every);
	if (o->cmdline[0] != '\0')
		printf(" --args \"%s\"", o->cmdline);
	if (o->kmem_fail != 0)
		printf(" --kmem-fail %lu", o->kmem_fail);
	printf("%s%s%s\n", o->no_1g ? " --no-1g" : "", o->no_nx ? " --no-nx" : "", o->no_pge ? " --no-pge" : "");
}

/* ------------------------------------------------------------------ choosing */

static bool
asleep(int id)
{
	return ((cpu[id]->cpu_tlb_info & TLB_CPU_HALTED) != 0);
}

/** A CPU that is awake; CPU 0 always is. */
static void
choose_cpu(void)
{
	int id = (int)rnd((uint_t)ncpus);

	host_on(asleep(id) ? 0 : id);
}

static struct model *
choose_space(void)
{
	struct model *m = &spaces[rnd(SPACES)];

	return (m->used && !chance(15) ? m : &kernel);
}

static struct model *
running(void)
{
	for (uint_t i = 0; i < SPACES; i++)
		if (spaces[i].used && spaces[i].hat == CPU->cpu_current_hat)
			return (&spaces[i]);
	return (&kernel);
}

static struct model_region *
choose_region(struct model *m)
{
	return (&m->region[rnd(m->nregions)]);
}

/** Units that meet again: ends and borders of tables mostly. */
static uint_t
choose_unit(const struct model_region *r)
{
	static const uint_t liked[] = { 0, 1, 2, 3, 510, 511, 512, 513, 1022, 1023 };

	if (r->n < REGION_UNITS)
		return (rnd(r->n));
	return (chance(70) ? liked[rnd(NELEM(liked))] : rnd(r->n));
}

/** Mostly one that is mapped, if a few tries find one. */
static uint_t
choose_mapped(const struct model_region *r)
{
	uint_t i = choose_unit(r);

	for (int tries = 0; tries < 6 && r->page[i].level < 0; tries++)
		i = choose_unit(r);
	return (i);
}

static uint_t
choose_attr(void)
{
	uint_t attr = PROT_READ;

	attr |= chance(70) ? PROT_WRITE : 0;
	attr |= chance(30) ? PROT_EXEC : 0;
	attr |= chance(80) ? PROT_USER : 0;
	return (attr | (chance(10) ? HAT_NOSYNC : 0));
}

/* ------------------------------------------------------------------ the model's side */

static void
model_map(struct model *m, struct model_region *r, uint_t i, const struct model_page *what)
{
	uint_t n = model_units(r, what->level);
	pfn_t pfn = what->pfn;

	for (uint_t k = i; k < i + n; k++, pfn += 1ul << (r->shift - PAGESHIFT)) {
		r->page[k] = *what;
		r->page[k].pfn = pfn;
	}
	m->leaves += LEVEL_SHIFT(what->level) < r->shift ? 1ul << (r->shift - LEVEL_SHIFT(what->level)) : 1;
}

static bool
all_unmapped(const struct model_region *r, uint_t i, uint_t n)
{
	for (uint_t k = i; k < i + n; k++)
		if (k >= r->n || r->page[k].level >= 0)
			return (false);
	return (true);
}

static void
look_at(uintptr_t va, uint_t pages)
{
	uint_t bad = 0;

	for (uint_t i = 0; i < pages; i++)
		bad += mmu_verify_page(va + i * PAGESIZE, host_exempt());
	expect(bad == 0, "%u translations are left behind", bad);
}

/* ------------------------------------------------------------------ the steps */

/** Map one page, or the same page again with other permissions. */
static void
do_load(void)
{
	struct model *m = choose_space();
	struct model_region *r = choose_region(m);
	uint_t i = choose_unit(r), attr = choose_attr(), flags = HAT_LOAD;
	struct model_page *p = &r->page[i], new = { .pfn = small[rnd(SMALL)], .attr = (uint16_t)attr };

	if (r->shift != PAGESHIFT || p->level > 0 || p->device)
		return;
	if (p->level == 0) {
		attr = (attr & (PROT_WRITE | PROT_EXEC)) | (p->attr & ~(uint_t)(PROT_WRITE | PROT_EXEC));
		tell("reload", m, model_va(r, i), PAGESIZE, p->pfn, attr, flags);
		hat_memload(m->hat, model_va(r, i), page_numtopp_nolock(p->pfn), attr, flags);
		p->attr = (uint16_t)attr;
		look_at(model_va(r, i), 1);
		return;
	}
	if (!m->kernel && chance(10)) {
		flags |= HAT_LOAD_LOCK;
		new.locked = true;
	}
	tell("load", m, model_va(r, i), PAGESIZE, new.pfn, attr, flags);
	hat_memload(m->hat, model_va(r, i), page_numtopp_nolock(new.pfn), attr, flags);
	model_map(m, r, i, &new);
}

/** A frame for a large mapping: memory or not. */
static pfn_t
choose_large(const struct model_region *r, bool *device)
{
	*device = r->shift > PAGESHIFT || chance(50);
	if (r->shift > PAGESHIFT)
		return (pa_to_pfn(DEVICE_1G) + rnd(8) * (pfn_t)(1u << (30 - PAGESHIFT)));
	return (*device ? pa_to_pfn(DEVICE) + rnd(8) * LARGE_UNITS : chunk[rnd(CHUNKS)]);
}

/** Many frames at once: whole large pages, or a few small ones that begin anywhere. */
static void
do_devload(void)
{
	struct model *m = choose_space();
	struct model_region *r = choose_region(m);
	bool large = chance(60), device;
	uint_t i = choose_unit(r), n = 1 + rnd(r->shift > PAGESHIFT ? 2 : 12), attr = choose_attr();
	pfn_t pfn = choose_large(r, &device), per_unit = 1ul << (r->shift - PAGESHIFT);

	if (r->shift == PAGESHIFT && large) {
		i &= -(LARGE_UNITS);
		n = LARGE_UNITS;
	} else if (r->shift == PAGESHIFT) {
		pfn += rnd(LARGE_UNITS - 12);
	}
	if (device)
		attr &= ~(uint_t)HAT_NOSYNC;
	if (!all_unmapped(r, i, n))
		return;
	tell("devload", m, model_va(r, i), (size_t)n << r->shift, pfn, attr, HAT_LOAD);
	hat_devload(m->hat, model_va(r, i), (size_t)n << r->shift, pfn, attr, HAT_LOAD);
	while (n > 0) {
		struct model_page new = { .pfn = pfn, .attr = (uint16_t)attr, .device = device };
		uint_t units;

		new.level = model_level(m, model_va(r, i), pfn, (size_t)n << r->shift);
		units = model_units(r, new.level);
		model_map(m, r, i, &new);
		i += units;
		n -= units;
		pfn += units * per_unit;
	}
}

/** Widen [i, i + n) to whole leaves, and count what is in it. */
static void
whole_leaves(const struct model_region *r, uint_t *ip, uint_t *np, uint_t *mapped, uint_t *locked)
{
	uint_t i = *ip, end = MIN(*ip + *np, r->n);

	if (r->page[i].level >= 0)
		i &= -model_units(r, r->page[i].level);
	*ip = i;
	*mapped = *locked = 0;
	while (i < end) {
		*mapped += r->page[i].level >= 0;
		*locked += r->page[i].locked;
		i += r->page[i].level >= 0 ? model_units(r, r->page[i].level) : 1;
	}
	*np = i - *ip;
}

static void
unload(struct model *m, struct model_region *r, uint_t i, uint_t n, uint_t flags)
{
	uint_t pages = MIN(n, 16u), end = i + n;
	uintptr_t va = model_va(r, i);

	tell("unload", m, va, (size_t)n << r->shift, 0, 0, flags);
	hat_unload(m->hat, va, (size_t)n << r->shift, flags);
	while (i < end)
		i = model_unmap(m, r, i);
	look_at(va, pages);
}

static void
do_unload(void)
{
	struct model *m = choose_space();
	struct model_region *r = choose_region(m);
	uint_t i = choose_unit(r), n = chance(60) ? 1 : chance(80) ? 1 + rnd(12) : r->n, mapped, locked;

	if (n == r->n)
		i = 0;
	whole_leaves(r, &i, &n, &mapped, &locked);
	if (locked != 0 && locked != mapped)
		return;
	htable_dont_cache = chance(10); /* as while somebody reaps: tables are really freed */
	unload(m, r, i, n, locked != 0 ? HAT_UNLOAD_UNLOCK : HAT_UNLOAD);
	htable_dont_cache = 0;
}

/** Everything a user has. */
static void
do_unload_all(void)
{
	struct model *m = choose_space();

	if (m->kernel)
		return;
	for (uint_t k = 0; k < m->nregions; k++)
		for (uint_t i = 0; i < m->region[k].n; i++)
			if (m->region[k].page[i].locked)
				return;
	tell("unload", m, 0, (size_t)model_end(m), 0, 0, HAT_UNLOAD);
	host_unload_user(m->hat);
	model_clear(m);
	expect(mmu_verify(host_exempt()) == 0, "translations are left behind");
}

/** What an access through the pretend MMU does must be what the model says. */
static void
do_touch(void)
{
	struct model *m = chance(80) ? running() : &kernel;
	struct model_region *r = choose_region(m);
	uint_t i = choose_mapped(r), how, fault;
	uintptr_t va = model_va(r, i) + rnd(PAGESIZE);
	struct model_page *p = &r->page[i];
	paddr_t pa = 0;

	how = chance(40) ? MMU_WRITE : chance(20) ? MMU_EXEC : 0;
	how |= !m->kernel && chance(60) ? MMU_USER : 0;
	tell("touch", m, va, 0, 0, 0, how);
	fault = mmu_access(va, how, &pa);
	expect((fault == 0) == model_allows(m, p, how), "access 0x%x to 0x%lx: fault 0x%x, mapped %d, attributes 0x%x", how, va,
	    fault, p->level, p->attr);
	expect(!(fault & MMU_RESERVED), "an entry over 0x%lx has reserved bits", va);
	if (fault != 0)
		return;
	expect(pa == pfn_to_pa(p->pfn) + (va & ((1ul << r->shift) - 1)), "0x%lx leads to 0x%llx, not to frame 0x%lx", va,
	    (unsigned long long)pa, p->pfn);
	if (LEVEL_SHIFT(p->level) < r->shift)
		return;
	model_leaf(r, i)->ref = true;
	model_leaf(r, i)->mod |= (how & MMU_WRITE) != 0;
}

static void
do_lookup(void)
{
	struct model *m = choose_space();
	struct model_region *r = choose_region(m);
	uint_t i = choose_unit(r);
	uintptr_t va = model_va(r, i) + (chance(50) ? 0 : (rnd(1u << 30) & ((1ul << r->shift) - 1)));
	pfn_t want = r->page[i].level < 0 ? PFN_INVALID : r->page[i].pfn + ((va - model_va(r, i)) >> PAGESHIFT);
	pfn_t have;

	tell("getpfn", m, va, 0, want, 0, 0);
	have = hat_getpfnum(m->hat, va);
	expect(have == want, "hat_getpfnum(0x%lx) is 0x%lx instead of 0x%lx", va, have, want);
}

static void
do_switch(void)
{
	struct model *m = &spaces[rnd(SPACES)];

	tell("switch", m->used ? m : &kernel, 0, 0, 0, 0, 0);
	hat_setup(m->used && chance(80) ? m->hat : NULL);
}

static void
do_alloc(void)
{
	struct model *m = &spaces[rnd(SPACES)];

	if (m->used)
		return;
	m->as.a_32bit = chance(40);
	tell("alloc", m, 0, 0, 0, m->as.a_32bit, 0);
	model_init(m, false);
	m->hat = m->as.a_hat = hat_alloc(&m->as);
	m->used = true;
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
static void
free_space(struct model *m)
{
	int me = CPU->cpu_id;

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
}

static void
do_free(void)
{
	struct model *m = &spaces[rnd(SPACES)];

	if (!m->used)
		return;
	tell("free", m, 0, 0, 0, 0, 0);
	free_space(m);
}

/* ------------------------------------------------------------------ thieves */

/** Nothing is known of any page: what a thief finds in a table he must put there. */
static void
clear_bits(void)
{
	for (uint_t i = 0; i < SMALL; i++)
		page_numtopp_nolock(small[i])->p_nrm = 0;
	for (uint_t i = 0; i < CHUNKS; i++)
		for (page_t *pp = page_numtopp_nolock(chunk[i]), *end = pp + LARGE_UNITS; pp < end; pp++)
			pp->p_nrm = 0;
}

static void
note_lost(struct model *m, uintptr_t va, const struct model_page *was)
{
	if (lost.m != NULL && !chance(20))
		return;
	lost.hat = m->hat;
	lost.m = m;
	lost.va = va;
	lost.was = *was;
}

/** After a step: was there a thief? Then the model must learn what he took. */
static void
look_for_thieves(void)
{
	const struct op *p = &recent[step % RECENT];
	ulong_t now = hatstat.hs_steals + hatstat.hs_reap_attempts;

	if (now == thefts)
		return;
	expect(scarce || reaping, "tables are looked for that can be stolen, and memory is not short");
	for (uint_t i = 0; i < SPACES; i++)
		if (spaces[i].used)
			stolen += theft_judge(&spaces[i], p->va, p->space == (int)i ? p->len : 0, note_lost);
	expect(mmu_verify(host_exempt()) == 0, "P5 is broken");
	thefts = now;
	reaping = false;
}

/** What a fault does with a page that was stolen: load it again. */
static void
do_refault(void)
{
	struct model_region *r;
	struct model_page *p;
	paddr_t pa = 0;

	if (lost.m == NULL || !lost.m->used || lost.m->hat != lost.hat)
		return;
	p = model_find(lost.m, lost.va, &r);
	if (p == NULL || r->shift != PAGESHIFT || p->level >= 0)
		return;
	tell("refault", lost.m, lost.va, PAGESIZE, lost.was.pfn, lost.was.attr, HAT_LOAD);
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
	returned++;
}

static void
do_purge(void)
{
	struct model *m = choose_space();

	if (chance(30)) {
		tell("reap", NULL, 0, 0, 0, 0, 0);
		clear_bits();
		reaping = true;
		htable_reap(NULL);
	} else {
		tell("purge", m, 0, 0, 0, 0, 0);
		htable_purge_hat(m->hat);
	}
}

/** As the idle thread does it: the kernel's tables first, then the mark; flushes wait until it wakes. */
static void
do_sleep(void)
{
	if (CPU->cpu_id == 0)
		return;
	tell("sleep", NULL, 0, 0, 0, 0, 0);
	hat_setup(NULL);
	tlb_going_idle();
}

static void
do_wake(void)
{
	int id = (int)rnd((uint_t)ncpus);

	if (!asleep(id))
		return;
	host_on(id);
	tell("wake", NULL, 0, 0, 0, 0, 0);
	tlb_service();
}

static const struct {
	uint_t weight; /* in a thousand */
	void (*func)(void);
} kinds[] = {
	{ 410, do_touch },
	{ 240, do_load },
	{ 150, do_unload },
	{ 60, do_devload },
	{ 25, do_switch },
	{ 40, do_lookup },
	{ 10, do_purge },
	{ 10, do_sleep },
	{ 24, do_wake },
	{ 16, do_alloc },
	{ 3, do_free },
	{ 2, do_unload_all },
	{ 10, do_refault },
};

static void
one_step(void)
{
	uint_t n = rnd(1000), k = 0;

	choose_cpu();
	if (scarce)
		clear_bits();
	while (n >= kinds[k].weight)
		n -= kinds[k++].weight;
	kinds[k].func();
	done[k]++;
	look_for_thieves();
}

/* ------------------------------------------------------------------ comparing all, and the end */

static void
compare_all(void)
{
	host_on(0);
	host_sound("after this step");
	model_compare(&kernel);
	for (uint_t i = 0; i < SPACES; i++)
		if (spaces[i].used)
			model_compare(&spaces[i]);
}

static void
frames_to_map(void)
{
	for (uint_t i = 0; i < SMALL; i++) {
		page_t *pp = page_get(PAGE_USER);

		expect(pp != NULL, "no page is free");
		small[i] = pp->p_pagenum;
	}
	for (uint_t i = 0; i < CHUNKS; i++) {
		page_t *pp = page_get_large(PAGE_USER, LARGE_UNITS);

		expect(pp != NULL, "no large page is free");
		chunk[i] = pp->p_pagenum;
	}
}

/**
 * Some of the kernel's tables stay once they are made: have them made before anything is counted. And an address space, before
 * which nothing may be taken from anybody: memory must not be short earlier.
 */
static void
warm_up(void)
{
	do_alloc();
	for (uint_t k = 0; k < kernel.nregions; k++) {
		const struct model_region *r = &kernel.region[k];

		for (uint_t i = 0; i < r->n; i += MAX(LARGE_UNITS >> (r->shift - PAGESHIFT), 1u)) {
			hat_devload(kas_hat, model_va(r, i), PAGESIZE, small[0], PROT_READ, HAT_LOAD);
			hat_unload(kas_hat, model_va(r, i), PAGESIZE, HAT_UNLOAD);
		}
	}
}

struct counts {
	ulong_t free, avail;
	uint32_t tables;
	long objects;
};

static struct counts
count(void)
{
	htable_purge_hat(kas_hat);
	return ((struct counts){ freemem, availrmem, active_ptables, (long)kmem_cache_inuse(htable_cache) - htable_reserve_cnt });
}

static void
give_back(void)
{
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		if (asleep(id))
			tlb_service();
	}
	host_on(0);
	for (uint_t i = 0; i < SPACES; i++)
		if (spaces[i].used)
			free_space(&spaces[i]);
	for (uint_t k = 0; k < kernel.nregions; k++)
		unload(&kernel, &kernel.region[k], 0, kernel.region[k].n, HAT_UNLOAD);
}

static void
expect_same(struct counts a, struct counts b)
{
	expect(a.free == b.free && a.avail == b.avail && a.tables == b.tables && a.objects == b.objects,
	    "not all is given back: %ld free pages, %ld reserved, %d tables, %ld objects more than before", (long)(b.free - a.free),
	    (long)(a.avail - b.avail), (int)(b.tables - a.tables), b.objects - a.objects);
}

/** No page believes that it is mapped. */
static void
expect_unmapped(void)
{
	for (uint_t i = 0; i < SMALL; i++)
		expect(hat_page_getshare(page_numtopp_nolock(small[i])) == 0, "page 0x%lx is still on a mapping list", small[i]);
	for (uint_t i = 0; i < CHUNKS * LARGE_UNITS; i++)
		expect(hat_page_getshare(page_numtopp_nolock(chunk[i / LARGE_UNITS] + i % LARGE_UNITS)) == 0,
		    "page 0x%lx is still on a mapping list", chunk[i / LARGE_UNITS] + i % LARGE_UNITS);
}

static void
run_steps(void)
{
	for (step = 0; step < host_options->steps; step++) {
		one_step();
		if (step % LOOK_EVERY == 0)
			expect(mmu_verify(host_exempt()) == 0, "P5 is broken");
		if (step % host_options->every == host_options->every - 1)
			compare_all();
	}
}

void
test_history(void)
{
	struct counts before;
	uint64_t fail_pages, fail_tables;

	random_state = host_options->seed * 0x9e3779b97f4a7c15ull + 1;
	host_boot_tables();
	fail_pages = page_fail_after;
	fail_tables = force_steal;
	page_fail_after = force_steal = 0;
	hat_kern_setup();
	host_boot_rest();
	model_init(&kernel, true);
	kernel.hat = kas_hat;
	frames_to_map();
	warm_up();
	compare_all();
	give_back();
	before = count();
	page_fail_after = fail_pages;
	force_steal = fail_tables;
	scarce = fail_pages != 0 || fail_tables != 0 || host_options->kmem_fail != 0;
	thefts = hatstat.hs_steals + hatstat.hs_reap_attempts;
	host_last_words = last_words;
	run_steps();
	compare_all();
	give_back();
	compare_all();
	expect_same(before, count());
	expect_unmapped();
	printf("history: %lu steps, %lu pages stolen, %lu loaded again, %llu walks, %llu from the TLB, %llu too weak, "
	       "%llu windows moved, %lu shootdowns put off\n",
	    step, stolen, returned, (unsigned long long)mmu_walks, (unsigned long long)mmu_hits, (unsigned long long)mmu_weaker,
	    (unsigned long long)mmu_window_moves, hatstat.hs_tlb_inval_delayed);
}
