/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief While there is only the boot mapper: what it builds and takes away again, and what the HAT's functions say so early.
 */
#include <host/host.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <sys/debug.h>
#include <memmap.h>

#define VA     ((uintptr_t)0x40000000)
#define LARGE  LEVEL_SIZE(1)
#define NO_RAM ((paddr_t)1 << 30)

static void
expect_leaf(uintptr_t va, paddr_t pa, level_t level, x86pte_t bits)
{
	level_t l = -1;
	x86pte_t pte = kbm_probe(va, &l);

	expect(pte == (MAKEPTE(pa_to_pfn(pa), level) | PT_NOCONSIST | PT_REF | PT_MOD | mmu.pt_nx | bits) && l == level,
	    "0x%lx: 0x%llx at level %d, not frame 0x%lx at level %d", va, (unsigned long long)pte, l, pa_to_pfn(pa), level);
}

/** The largest pages that fit; one of them read-only; all gone again. The tables stay, empty, for htable_attach(). */
static void
maps(void)
{
	uintptr_t va = VA - 2 * PAGESIZE, end = VA + LARGE;
	level_t l = MIN(mmu.max_page_level, 1);
	uint_t tables = kbm_count_tables();

	expect(kbm_probe(va, NULL) == 0, "0x%lx is mapped", va);
	kbm_make_table(VA + 4 * LARGE, 0);
	expect(kbm_count_tables() > tables && kbm_probe(VA + 4 * LARGE, NULL) == 0, "%u tables before and after", tables);
	tables = kbm_count_tables();
	kbm_make_table(VA + 4 * LARGE, 0);
	expect(kbm_count_tables() == tables, "the same table twice");
	kbm_map_range(va, NO_RAM - 2 * PAGESIZE, end - va);
	kbm_map_range(end, NO_RAM + LARGE, PAGESIZE);
	end += PAGESIZE;
	expect_leaf(va, NO_RAM - 2 * PAGESIZE, 0, PT_WRITABLE);
	expect_leaf(VA - PAGESIZE, NO_RAM - PAGESIZE, 0, PT_WRITABLE);
	expect_leaf(VA, NO_RAM, l, PT_WRITABLE);
	expect_leaf(VA + LARGE, NO_RAM + LARGE, 0, PT_WRITABLE);
	kbm_read_only(VA);
	expect_leaf(VA, NO_RAM, l, 0);
	for (; va < end; va += va == VA ? LEVEL_SIZE(l) : PAGESIZE) {
		kbm_unmap(va);
		expect(kbm_probe(va, NULL) == 0, "0x%lx is still mapped", va);
	}
}

/** No list has a lock, no page an address space, and threads are switched without any. */
static void
nothing_yet(void)
{
	kmutex_t m;
	page_t pp = { 0 };
	hat_t hat = { 0 };
	kthread_t thread = { .t_hat = &hat };

	mutex_init(&m);
	expect(hment_lock_kind(&m) == HMENT_NO_LOCK, "a lock of the HAT");
	x86_hm_enter(&pp);
	expect(x86_hm_held(&pp), "who is alone holds all lists");
	x86_hm_exit(&pp);
	expect(hat_getpfnum(NULL, VA) == PFN_INVALID, "a page before there is a HAT");
	hat_thread_switch(&thread);
	expect(CPU->cpu_current_hat == NULL, "an address space before there is a HAT");
}

void
early_run(void)
{
	nothing_yet();
	maps();
}
