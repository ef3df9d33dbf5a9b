/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The reference model.
 */
#include <host/compare.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/model.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <x86/features.h>
#include <memmap.h>

#define LARGE 0x200000ull
#define GIANT 0x40000000ull

static void
add_region(struct model *m, uint64_t base, uint_t shift, uint_t n)
{
	struct model_region *r = &m->region[m->nregions++];

	expect(m->nregions <= REGIONS, "too many regions");
	r->base = (uintptr_t)base;
	r->shift = shift;
	r->n = n;
	if (r->page == NULL)
		r->page = machine_alloc(REGION_UNITS * sizeof(struct model_page), 0);
}

static void
add_pages(struct model *m, uint64_t base)
{
	add_region(m, base, PAGESHIFT, REGION_UNITS);
}

uint64_t
model_end(const struct model *m)
{
	return (mmu.num_level == 4 && m->as.a_32bit ? 1ull << 32 : kernelbase);
}

/** Both ends, a border of gigabytes, both sides of the hole where there is one, some neighbours, some far away. */
static void
user_regions(struct model *m)
{
	add_pages(m, 0);
	add_pages(m, GIANT - LARGE);
	add_pages(m, 0x08000000);
	add_pages(m, model_end(m) - 2 * LARGE);
	if (model_end(m) >> 32 <= 1) {
		add_pages(m, 2 * GIANT - LARGE);
		add_pages(m, 0x40400000);
		return;
	}
	add_pages(m, (mmu.hole_start) - 2 * LARGE);
	add_pages(m, (uint64_t)mmu.hole_end + 1);
	add_pages(m, 0x4000000000ull);
	add_pages(m, 0x8000000000ull - LARGE);
	add_pages(m, 0x123456600000ull);
	add_region(m, 0x20000000000ull, 30, GIANTS);
	add_region(m, kernelbase - 4 * GIANT, 30, GIANTS);
}

static void
kernel_regions(struct model *m)
{
	add_pages(m, HEAP_BASE);
	add_pages(m, HEAP_BASE + 5 * LARGE);
	if (mmu.num_level < 4)
		return;
	add_pages(m, (uint64_t)HEAP_BASE + GIANT - LARGE);
	add_region(m, (uint64_t)HEAP_BASE + 16 * GIANT, 30, GIANTS);
}

void
model_clear(struct model *m)
{
	for (uint_t k = 0; k < m->nregions; k++)
		for (uint_t i = 0; i < m->region[k].n; i++)
			m->region[k].page[i] = (struct model_page){ .level = -1 };
	for (uint_t k = 0; k < m->nregions; k++)
		m->region[k].mapped = 0;
	m->leaves = 0;
}

void
model_init(struct model *m, bool kernel)
{
	m->kernel = kernel;
	m->nregions = 0;
	if (kernel)
		kernel_regions(m);
	else
		user_regions(m);
	model_clear(m);
}

struct model_page *
model_find(struct model *m, uintptr_t va, struct model_region **rp)
{
	for (uint_t k = 0; k < m->nregions; k++) {
		struct model_region *r = &m->region[k];

		if (va - r->base < (uintptr_t)r->n << r->shift) {
			if (rp != NULL)
				*rp = r;
			return (&r->page[(va - r->base) >> r->shift]);
		}
	}
	return (NULL);
}

uint_t
model_units(const struct model_region *r, level_t level)
{
	return (LEVEL_SHIFT(level) <= r->shift ? 1 : 1u << (LEVEL_SHIFT(level) - r->shift));
}

uint_t
model_table_end(const struct model_region *r, uint_t i)
{
	uint_t end = i + (uint_t)((LEVEL_SIZE(1) - (model_va(r, i) & LEVEL_OFFSET(1))) >> PAGESHIFT);

	return (r->shift > PAGESHIFT ? i + 1 : MIN(end, r->n));
}

struct model_page *
model_leaf(const struct model_region *r, uint_t i)
{
	return (&r->page[i & -model_units(r, r->page[i].level)]);
}

void
model_map(struct model *m, struct model_region *r, uint_t i, const struct model_page *what)
{
	uint_t n = model_units(r, what->level);
	pfn_t pfn = what->pfn;

	r->mapped += n;
	for (uint_t k = i; k < i + n; k++, pfn += 1ul << (r->shift - PAGESHIFT)) {
		r->page[k] = *what;
		r->page[k].pfn = pfn;
	}
	m->leaves += LEVEL_SHIFT(what->level) < r->shift ? 1ul << (r->shift - LEVEL_SHIFT(what->level)) : 1;
}

uint_t
model_unmap(struct model *m, struct model_region *r, uint_t i)
{
	level_t level = r->page[i].level;
	uint_t n;

	if (level < 0)
		return (i + 1);
	n = model_units(r, level);
	m->leaves -= LEVEL_SHIFT(level) < r->shift ? 1ul << (r->shift - LEVEL_SHIFT(level)) : 1;
	r->mapped -= n;
	for (uint_t k = i; k < i + n; k++)
		r->page[k] = (struct model_page){ .level = -1 };
	return (i + n);
}

/** Under each slot of a kernel range there is a table for ever (spec 1.5), which is in the way of a leaf as large as the slot. */
static level_t
highest_level(const struct model *m, uintptr_t va)
{
	level_t l = mmu.num_level == 4 && x86_features.page1g && !m->as.a_32bit ? 2 : read_cr4() & (CR4_PAE | CR4_PSE) ? 1 : 0;

	for (int r = 0; m->kernel && r < num_kernel_ranges; r++)
		if (va >= kernel_ranges[r].hkr_start && va - 1 < kernel_ranges[r].hkr_end - 1)
			l = MIN(l, kernel_ranges[r].hkr_level - 1);
	return (l);
}

level_t
model_level(const struct model *m, uintptr_t va, pfn_t pfn, size_t len)
{
	level_t l = highest_level(m, va);

	for (; l > 0; l--) {
		uint64_t size = l == 2 ? GIANT : mmu.num_level == 2 ? 2 * LARGE : LARGE;

		if (va % size == 0 && pfn_to_pa(pfn) % size == 0 && len >= size)
			break;
	}
	return (l);
}

/** Entries of 4 bytes have no place for it. */
static bool
nx_on(void)
{
	return (x86_features.nx && (read_cr4() & CR4_PAE));
}

bool
model_collects(const struct model_page *p, uint_t new)
{
	bool changes = ((new ^ p->attr) & (PROT_WRITE | HAT_NOSYNC | (nx_on() ? (uint_t)PROT_EXEC : 0))) != 0;

	return (changes && !(p->attr & HAT_NOSYNC) && ((new &HAT_NOSYNC) || !(new &PROT_WRITE)));
}

void
model_change(struct model_region *r, uint_t i, uint_t new)
{
	struct model_page *p = &r->page[i];

	if (model_collects(p, new))
		p->ref = p->mod = false;
	for (uint_t k = i, n = model_units(r, p->level); k < i + n; k++)
		r->page[k].attr = (uint16_t) new;
}

bool
model_allows(const struct model *m, const struct model_page *p, uint_t how)
{
	if (p->level < 0)
		return (false);
	if ((how & MMU_USER) && (m->kernel || !(p->attr & PROT_USER)))
		return (false);
	if ((how & MMU_WRITE) && !(p->attr & PROT_WRITE))
		return (false);
	return (!((how & MMU_EXEC) && nx_on() && !(p->attr & PROT_EXEC)));
}

/* ------------------------------------------------------------------ comparing */

x86pte_t
model_bits(const struct model *m, const struct model_page *p)
{
	x86pte_t e = PT_VALID | (p->level > 0 ? PT_PAGESIZE : 0);
	bool kept = p->device || (p->attr & HAT_NOSYNC); /* nobody collects: they are set from the start */

	if (p->attr & PROT_WRITE)
		e |= PT_WRITABLE;
	if (!(p->attr & PROT_EXEC) && nx_on())
		e |= PT_NX;
	if (!m->kernel && (p->attr & PROT_USER))
		e |= PT_USER;
	if (m->kernel && x86_features.pge)
		e |= PT_GLOBAL;
	if (p->device)
		e |= PT_NOCONSIST | PT_NOCACHE;
	else if (p->attr & HAT_NOSYNC)
		e |= PT_NOSYNC;
	return (e | (p->ref || kept ? PT_REF : 0) | (p->mod || kept ? PT_MOD : 0));
}

static void
compare_bits(const struct model *m, const struct model_page *p, const walk_leaf_t *leaf)
{
	x86pte_t have = leaf->wl_entry & (PT_FLAGBITS | PT_NX), want = model_bits(m, p), grows = PT_REF | PT_MOD;

	expect((have & ~grows) == (want & ~grows), "0x%llx: entry 0x%llx, its bits should be 0x%llx",
	    (unsigned long long)leaf->wl_va, (unsigned long long)leaf->wl_entry, (unsigned long long)want);
	expect(!(want & PT_REF) || (have & PT_REF), "0x%llx: accessed was lost, entry 0x%llx", (unsigned long long)leaf->wl_va,
	    (unsigned long long)leaf->wl_entry);
	expect(!(want & PT_MOD) || (have & PT_MOD), "0x%llx: dirty was lost, entry 0x%llx", (unsigned long long)leaf->wl_va,
	    (unsigned long long)leaf->wl_entry);
}

struct comparing {
	struct model *m;
	ulong_t leaves;
};

static bool
compare_leaf(const walk_leaf_t *leaf, void *arg)
{
	struct comparing *c = arg;
	struct model_region *r;
	struct model_page *p = model_find(c->m, (uintptr_t)leaf->wl_va, &r);
	paddr_t want;

	if (p == NULL && c->m->kernel)
		return (true); /* boot's, and the HAT's own */
	expect(p != NULL && p->level >= 0, "0x%llx is mapped and should not be (entry 0x%llx)", (unsigned long long)leaf->wl_va,
	    (unsigned long long)leaf->wl_entry);
	want = pfn_to_pa(p->pfn) + (leaf->wl_va & ((1ull << r->shift) - 1));
	expect(leaf->wl_level == p->level, "0x%llx: leaf at level %d instead of %d", (unsigned long long)leaf->wl_va,
	    leaf->wl_level, p->level);
	expect(leaf->wl_pa == want, "0x%llx: maps 0x%llx instead of 0x%llx", (unsigned long long)leaf->wl_va,
	    (unsigned long long)leaf->wl_pa, (unsigned long long)want);
	compare_bits(c->m, p, leaf);
	c->leaves++;
	return (true);
}

void
model_compare(struct model *m)
{
	struct comparing c = { .m = m };

	expect(walk_range(walk_mode(), hat_root(m->hat), 0, hat_last(m->hat), compare_leaf, &c), "the tables cannot be walked");
	expect(c.leaves == m->leaves, "%lu pages are mapped instead of %lu", c.leaves, m->leaves);
	hat_compare(m->hat);
}
