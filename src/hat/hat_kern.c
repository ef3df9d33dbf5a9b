/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The kernel's own hat: from boot's tables to ours, step by step (spec 8.8).
 */
#include <hat/hat_md.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <sys/bootinfo.h>
#include <sys/kmem.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <vm/page.h>
#include <x86/cpufunc.h>
#include <check/peek_phys.h>
#include <memmap.h>

static uint64_t want_kpm = 1;
TUNABLE_NUMBER(want_kpm, "kpm", "1: reach page tables through the linear map where there is one; 0: page windows");

static kmem_cache_t *hat_cache;

void
x86pte_cpu_init(cpu_t *cp)
{
	cp->cpu_hat_info = kmem_zalloc(sizeof(struct hat_cpu_info), KM_SLEEP);
	mutex_init(&cp->cpu_hat_info->hci_mutex);
}

void
x86pte_cpu_fini(cpu_t *cp)
{
	struct hat_cpu_info *hci = cp->cpu_hat_info;

	cp->cpu_hat_info = NULL;
	mutex_destroy(&hci->hci_mutex);
	kmem_free(hci, sizeof(*hci));
}

hat_t *
hat_create_bare(struct as *as)
{
	hat_t *hat = kmem_cache_alloc(hat_cache, KM_SLEEP);

	*hat = (hat_t){ .hat_as = as, .hat_top = mmu.max_level };
	htable_chains_init(hat);
	return (hat);
}

void
hat_destroy_bare(hat_t *hat)
{
	htable_rank_forget(hat);
	htable_chains_fini(hat);
	kmem_cache_free(hat_cache, hat);
}

void
hat_init(void)
{
	hat_cache = kmem_cache_create("hat_t", sizeof(hat_t), VLP_SIZE, NULL, NULL, htable_keep_none, NULL, NULL, 0);
	htable_init();
	hment_init();
	kas_hat = hat_create_bare(NULL);
	htable_secret_draw();
}

/** Linear map of all RAM, and of nothing else, with the largest pages that each range takes. */
static void
map_kpm(void)
{
	for (int i = 0; i < bootinfo.bi_nram; i++) {
		const boot_range_t *r = &bootinfo.bi_ram[i];

		kbm_map_range(KPM_BASE + (uintptr_t)r->br_start, r->br_start, r->br_end - r->br_start);
	}
	kpm_vbase = KPM_BASE;
}

/** The windows' entries are in the window table, which maps itself at its last page. */
static void
windows_init(void)
{
	uintptr_t table = WINDOW_VA(WINDOW_TABLE);
	x86pte_t pte = kbm_probe(table, NULL);

	mmu.pwin_base = WINDOW_VA(WINDOW_PWIN);
	mmu.pwin_pte_va = (uintptr_t)PT_INDEX_PTR(table, WINDOW_PWIN);
	mmu.pwin_pte_pa = PT_INDEX_PHYSADDR(pfn_to_pa(PTE2PFN(pte, 0)), WINDOW_PWIN);
	check_window_va = WINDOW_VA(WINDOW_CHECK);
	check_window_pte = PT_INDEX_PTR(table, WINDOW_CHECK);
}

/** At each end of the kernel's ranges one table a slot will be made (spec 1.5). */
static uint_t
slots_of_ranges(void)
{
	uint_t n = 0;

	for (int r = 0; r < num_kernel_ranges; r++) {
		const struct hat_kernel_range *k = &kernel_ranges[r];

		n += (k->hkr_end - k->hkr_start) >> LEVEL_SHIFT(k->hkr_level);
	}
	return (n & 0xffff); /* an end of 0 means 2^48 or 2^32: the shift left sign bits behind */
}

/**
 * What every hat shows: all slots of the top table from kernelbase on; where kernelbase lies inside such a slot (i386-PAE),
 * slots one level lower up to the next one.
 */
static void
find_kernel_ranges(void)
{
	level_t top = mmu.max_level;
	uintptr_t round;

	if (hat_kernelbase(kernelbase) != kernelbase || (userlimit & PAGEOFFSET) != 0 || userlimit > kernelbase)
		panic("hat: kernelbase 0x%lx and userlimit 0x%lx: the one must be 0x%lx, the other a page's address not above it",
		    kernelbase, userlimit, hat_kernelbase(kernelbase));
	round = (kernelbase + LEVEL_OFFSET(top)) & LEVEL_MASK(top);

	if (round != kernelbase)
		kernel_ranges[num_kernel_ranges++] = (struct hat_kernel_range){ top - 1, kernelbase, round };
	if (round != 0)
		kernel_ranges[num_kernel_ranges++] = (struct hat_kernel_range){ top, round, 0 };
}

void
hat_kern_alloc(void)
{
	uint_t count;

	windows_init();
	if (KPM_BASE != 0 && want_kpm)
		map_kpm();
	find_kernel_ranges();
	count = kbm_count_tables() + slots_of_ranges();
	htable_initial_reserve(count + count / 4);
	hment_reserve(hment_reserve_amount);
	x86pte_cpu_init(CPU);
}

void
hat_kern_setup(void)
{
	pfn_t top = kbm_top_pfn();

	ASSERT(pfn_to_pa(top) == (read_cr3() & PT_PADDR));
	CPU->cpu_current_hat = kas_hat; /* first: adoption drops empty tables below kernelbase, and flushes */
	htable_attach(kas_hat, 0, mmu.max_level, NULL, top);
	kas_hat->hat_cpus = 0;
	khat_running = true;
	ptable_vbase = kpm_vbase;
}

/** Make the table under each slot of a range, for ever, so that the copies in user hats never need a change. */
static void
make_range_tables(const struct hat_kernel_range *k)
{
	uintptr_t va = k->hkr_start;

	do {
		uint_t entry;
		htable_t *above = htable_lookup(kas_hat, va, k->hkr_level);
		bool large = false;

		if (above != NULL) {
			entry = htable_va2entry(va, above);
			large = PTE_ISPAGE(x86pte_get(above, entry), k->hkr_level);
			htable_release(above);
		}
		if (!large)
			htable_create(kas_hat, va, k->hkr_level - 1, NULL)->ht_permanent++;
		va = NEXT_ENTRY_VA(va, k->hkr_level);
	} while (va != k->hkr_end);
}

void
hat_init_finish(void)
{
	use_boot_reserve = 0;
	htable_adjust_reserve();
	hment_adjust_reserve();
	for (int r = 0; r < num_kernel_ranges; r++)
		make_range_tables(&kernel_ranges[r]);
	htable_chains_grow_kernel();
	kernel_ranges_final = true;
	if (mmu.top_level_count == VLP_NUM_PTES) {
		vlp_page = WINDOW_VA(WINDOW_VLP);
		hat_devload(kas_hat, vlp_page, PAGESIZE, kas_hat->hat_htable->ht_pfn, PROT_READ | PROT_WRITE, HAT_LOAD_NOCONSIST);
	}
	md_vlp_init(CPU->cpu_id, CPU->cpu_hat_info);
}

void
hat_cpu_online(cpu_t *cp)
{
	if (cp->cpu_hat_info == NULL) {
		x86pte_cpu_init(cp);
		md_vlp_init(cp->cpu_id, cp->cpu_hat_info);
	}
	cp->cpu_current_hat = kas_hat;
	atomic_or_long(&khat_cpuset, CPUSET(cp->cpu_id));
}

void
clear_boot_mappings(uintptr_t low, uintptr_t high)
{
	htable_t *ht = NULL;
	uintptr_t va = low;

	while (va < high && htable_walk(kas_hat, &ht, &va, high) != 0) {
		level_t level = ht->ht_level;

		if (PTE_ISVALID(x86pte_inval(ht, htable_va2entry(va, ht), 0, NULL))) {
			atomic_dec_int(&ht->ht_valid_cnt);
			atomic_add_long(&kas_hat->hat_pages_mapped[level], -1);
		}
		va += LEVEL_SIZE(level);
	}
	htable_release(ht);
}

void
hat_settle_windows(void)
{
	pfn_t pfn = pa_to_pfn(mmu.pwin_pte_pa);

	if (!khat_running) {
		(void)kbm_remap_window(pfn_to_pa(pfn), true);
	} else if (kpm_vbase == 0) {
		(void)x86pte_mapin(pfn, 0, NULL);
		x86pte_mapout();
	}
}

uintptr_t
hat_check_window(void)
{
	return (WINDOW_VA(WINDOW_CHECK));
}
