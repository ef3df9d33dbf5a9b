/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a thief of page tables may do, and nothing else.
 *
 * Where memory is short, or somebody reaps, tables of small user pages vanish between two calls. The model learns from the
 * HAT which pages are gone, and judges that: whole tables, none with a locked page, no translation left, accessed and dirty
 * in the page.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <host/model.h>
#include <hat/hat_impl.h>
#include <sys/debug.h>
#include <vm/page.h>

/** One table of small pages: units [i, end) of a region. */
struct judged {
	struct model *m;
	struct model_region *r;
	uint_t i, end;
	uintptr_t va; /* what this step has loaded, from lower to higher addresses */
	size_t len;
	uint_t old_here, old_gone, new_here, new_gone, locked;
};

/** Is unit i mapped in the model by a small page? Others cannot be stolen: a table that holds a large page is not empty. */
static bool
is_small(const struct model_region *r, uint_t i)
{
	return (r->page[i].level == 0);
}

/**
 * Count. This step's own pages may be on both sides of a theft, the earlier ones gone and the later ones in a new table.
 */
static void
count_table(struct judged *j)
{
	for (uint_t i = j->i; i < j->end; i++) {
		uintptr_t va = model_va(j->r, i);
		bool here, young = va - j->va < j->len;

		if (!is_small(j->r, i))
			continue;
		here = hat_probe(j->m->hat, va) != 0;
		expect(here || !young || j->new_here == 0, "0x%lx is stolen, what was loaded just before is not", va);
		*(young ? here ? &j->new_here : &j->new_gone : here ? &j->old_here : &j->old_gone) += 1;
		j->locked += j->r->page[i].locked;
	}
}

static void
expect_fault(const hat_t *hat, uintptr_t va)
{
	int me = CPU->cpu_id;
	paddr_t pa;

	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		expect(CPU->cpu_current_hat != hat || mmu_access(va, 0, &pa) != 0, "CPU %d still reaches 0x%lx, which is stolen",
		    id, va);
	}
	host_on(me);
}

/** A page is gone as it may be. */
static void
judge_page(const struct model *m, const struct model_page *p, uintptr_t va)
{
	uint8_t want = (p->ref ? P_REF : 0) | (p->mod ? P_MOD : 0);

	expect(mmu_verify_page(va, host_exempt()) == 0, "0x%lx is stolen, and still remembered", va);
	expect_fault(m->hat, va);
	if (p->device || (p->attr & HAT_NOSYNC))
		return;
	expect((page_numtopp_nolock(p->pfn)->p_nrm & want) == want,
	    "0x%lx is stolen, and of its bits 0x%x was lost: its page has 0x%x", va, want, page_numtopp_nolock(p->pfn)->p_nrm);
}

static uint_t
judge_table(struct judged *j, theft_func_t *func)
{
	uint_t gone = 0;

	count_table(j);
	if (j->old_gone + j->new_gone == 0)
		return (0);
	expect(j->old_here == 0, "a part of the table over 0x%lx is stolen", model_va(j->r, j->i));
	expect(j->locked == 0, "a table over 0x%lx with a locked page is stolen", model_va(j->r, j->i));
	for (uint_t i = j->i; i < j->end; i++) {
		struct model_page was = j->r->page[i];
		uintptr_t va = model_va(j->r, i);

		if (!is_small(j->r, i) || hat_probe(j->m->hat, va))
			continue;
		judge_page(j->m, &was, va);
		(void)model_unmap(j->m, j->r, i);
		func(j->m, va, &was);
		gone++;
	}
	return (gone);
}

uint_t
theft_judge(struct model *m, uintptr_t va, size_t len, theft_func_t *func)
{
	uint_t gone = 0;

	for (uint_t k = 0; k < m->nregions; k++) {
		struct model_region *r = &m->region[k];

		for (uint_t i = 0, end; r->shift == PAGESHIFT && r->mapped != 0 && i < r->n; i = end) {
			end = model_table_end(r, i);
			gone += judge_table(&(struct judged){ .m = m, .r = r, .i = i, .end = end, .va = va, .len = len }, func);
		}
	}
	return (gone);
}
