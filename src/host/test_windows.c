/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What stands in the entries of windows, bit for bit, and whose window it is: a wrong one may show the right frame all the same.
 *
 * And flushes that nothing later depends on, and an exchange that loses against the MMU.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/races.h>
#include <hat/hat_impl.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/windows.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define USED (PT_REF | PT_MOD) /* so the MMU never writes to a window's entry */

static void
want_entry(const char *what, x86pte_t have, x86pte_t want)
{
	want = MMU_PAE ? want : (x86pte32_t)want;
	expect(have == want, "%s: its entry is 0x%llx, want 0x%llx", what, (unsigned long long)have, (unsigned long long)want);
}

static void
boot_window(bool writable)
{
	void *pte = PT_INDEX_PTR(WINDOW_VA(WINDOW_TABLE), WINDOW_BOOT);
	x86pte_t before = pte_load(pte), now;

	(void)kbm_remap_window(pfn_to_pa(page->p_pagenum), writable);
	now = pte_load(pte);
	pte_store(pte, before);
	invlpg(WINDOW_VA(WINDOW_BOOT));
	want_entry("the boot window", now,
	    MAKEPTE(page->p_pagenum, 0) | PT_NOCONSIST | USED | mmu.pt_nx | mmu.pt_global | (writable ? PT_WRITABLE : 0));
}

/** Each CPU's own: only where there is no linear map. */
static void
page_window(int id)
{
	uint_t window = 2 * (uint_t)id;
	void *p;

	host_on(id);
	p = x86pte_mapin(page->p_pagenum, 0, NULL);
	expect(p == (void *)(mmu.pwin_base + window * PAGESIZE), "CPU %d maps a table in at 0x%lx", id, (ulong_t)(uintptr_t)p);
	want_entry("a page window", pte_load(PT_INDEX_PTR(mmu.pwin_pte_va, window)),
	    MAKEPTE(page->p_pagenum, 0) | PT_WRITABLE | USED | mmu.pt_global | mmu.pt_nx);
	x86pte_mapout();
}

static void
source_window(hat_t *hat, int id)
{
	htable_t *from = htable_create(hat, VA, 0, NULL), *to = htable_create(hat, VA + LEVEL_SIZE(1), 0, NULL);

	host_on(id);
	x86pte_copy(from, to, 0, mmu.ptes_per_table);
	want_entry("the source's window", pte_load(PT_INDEX_PTR(mmu.pwin_pte_va, 2 * (uint_t)id + 1)),
	    MAKEPTE(from->ht_pfn, 0) | USED | mmu.pt_global | mmu.pt_nx);
	host_on(0);
	htable_release(to);
	htable_release(from);
}

/** The same leaf again: somebody may have faulted on a weaker translation, and is to forget it. */
static void
same_leaf(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	x86pte_t leaf = MAKEPTE(page->p_pagenum, 0) | PT_USER;
	uint_t i = htable_va2entry(VA, ht);
	uint64_t before;

	(void)x86pte_set(ht, i, leaf, NULL);
	before = mmu_invlpgs;
	(void)x86pte_set(ht, i, leaf, x86pte_access_pagetable(ht, i));
	x86pte_release_pagetable(ht);
	expect(mmu_invlpgs > before, "x86pte_set: a leaf that is there already, and no flush");
	(void)x86pte_inval(ht, i, 0, NULL);
	htable_release(ht);
}

static void
used_meanwhile(volatile void *p)
{
	pte_store((void *)(uintptr_t)p, pte_load(p) | PT_REF);
}

/** Whatever is there goes, also what the MMU has just changed. */
static void
inval_any(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL);
	x86pte_t leaf = MAKEPTE(page->p_pagenum, 0) | PT_USER, old;
	uint_t i = htable_va2entry(VA, ht);

	(void)x86pte_set(ht, i, leaf, NULL);
	host_before_cas = used_meanwhile;
	old = x86pte_inval(ht, i, 0, NULL);
	expect(old == (leaf | PT_REF) && x86pte_get(ht, i) == 0, "x86pte_inval of anything: 0x%llx was there, 0x%llx is left",
	    (unsigned long long)old, (unsigned long long)x86pte_get(ht, i));
	htable_release(ht);
}

/** Small numbers are values like others. */
static void
load_small(void)
{
	for (x86pte_t e = 0; e < 3; e++) {
		x86pte_t cell ALIGNED(8) = e;

		expect(pte_load(&cell) == e && cell == e, "pte_load: %llu became %llu", (unsigned long long)e,
		    (unsigned long long)cell);
	}
}

void
windows_run(hat_t *hat)
{
	load_small();
	kpreempt_disable();
	boot_window(false);
	boot_window(true);
	kpreempt_enable();
	for (int id = ncpus - 1; id >= 0 && ptable_vbase == 0; id--)
		page_window(id);
	for (int id = ncpus - 1; id >= 0 && kpm_vbase == 0; id--)
		source_window(hat, id);
	host_on(0);
	same_leaf(hat);
	inval_any(hat);
}
