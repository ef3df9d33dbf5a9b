/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Adoption moves nothing; afterwards walker, HAT and MMU agree, on every CPU; what is taken is given back.
 */
#include <host/compare.h>
#include <host/host.h>
#include <host/mmu.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <check/walk.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <vm/as.h>
#include <vm/page.h>
#include <memmap.h>

#define FNV 0x100000001b3ull

struct sum {
	uint64_t hash;
	ulong_t leaves;
};

/** All but the windows, which move all the time. */
static bool
add_leaf(const walk_leaf_t *l, void *arg)
{
	struct sum *s = arg;

	if (l->wl_va - WINDOW_BASE < 1024 * PAGESIZE)
		return (true);
	s->hash = (s->hash ^ l->wl_va) * FNV;
	s->hash = (s->hash ^ (l->wl_entry & ~(PT_REF | PT_MOD)) ^ l->wl_entry_pa << 12) * FNV;
	s->leaves++;
	return (true);
}

static struct sum
sum_of_tables(void)
{
	struct sum s = { 0 };

	expect(walk_range(walk_mode(), walk_root(), 0, UINT64_MAX, add_leaf, &s), "the boot tables cannot be walked");
	return (s);
}

static void
try_access(uint64_t va, uint_t how, paddr_t want)
{
	paddr_t pa = 0;
	uint_t fault = mmu_access(va, how, &pa);

	expect(fault == 0 && pa == want, "CPU %d, address 0x%llx: fault 0x%x, physical 0x%llx instead of 0x%llx", CPU->cpu_id,
	    (unsigned long long)va, fault, (unsigned long long)pa, (unsigned long long)want);
}

static void
try_kernel(void)
{
	paddr_t pa;

	try_access(KERNEL_OFFSET + 0x200000, MMU_EXEC, 0x200000);
	try_access(KERNEL_OFFSET + 0x400000, MMU_WRITE, 0x400000);
	expect(mmu_access(KERNEL_OFFSET + 0x200000, MMU_WRITE, &pa) != 0, "the kernel's text can be written");
	expect(mmu_access(KERNEL_OFFSET + 0x400000, MMU_USER, &pa) != 0, "a user program can read the kernel");
	expect(mmu_access(0, 0, &pa) != 0, "boot's low mapping is still there");
	if (mmu.pt_nx != 0)
		expect(mmu_access(KERNEL_OFFSET + 0x400000, MMU_EXEC, &pa) != 0, "the kernel's data can be run");
	if (kpm_vbase == 0)
		return;
	for (int i = 0; i < bootinfo.bi_nram; i++)
		for (pa = bootinfo.bi_ram[i].br_start; pa < bootinfo.bi_ram[i].br_end; pa += 0x1f000)
			try_access(KPM_BASE + (uintptr_t)pa, MMU_WRITE, pa);
}

/** An address space on every CPU, with the kernel in it. */
static void
try_user(bool small)
{
	struct as as = { .a_32bit = small };
	hat_t *hat = hat_alloc(&as);
	page_t *pp = page_get(PAGE_USER);

	as.a_hat = hat;
	hat_memload(hat, 0x400000, pp, PROT_READ | PROT_WRITE | PROT_USER, HAT_LOAD);
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		hat_setup(hat);
		try_kernel();
		try_access(0x400123, MMU_WRITE | MMU_USER, pfn_to_pa(pp->p_pagenum) + 0x123);
		hat_compare(hat);
	}
	host_on(0);
	host_sound("an address space on all CPUs");
	hat_unload(hat, 0x400000, PAGESIZE, HAT_UNLOAD);
	host_sound("its only page unmapped");
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		hat_setup(NULL);
	}
	host_on(0);
	hat_free_start(hat);
	hat_free_end(hat);
	page_free(pp, 1);
}

static void
try_twice(void)
{
	ulong_t free;
	uint32_t tables;

	try_user(false);
	try_user(true);
	htable_keep_none(NULL);
	free = freemem;
	tables = active_ptables;
	try_user(true);
	try_user(false);
	htable_keep_none(NULL);
	expect(freemem == free && active_ptables == tables, "an address space leaves something behind: %ld pages, %d tables",
	    (long)(free - freemem), (int)(active_ptables - tables));
}

void
test_boot(void)
{
	struct sum before, after;
	uint_t tables;

	host_early = early_run;
	host_boot_tables();
	before = sum_of_tables();
	tables = kbm_count_tables();
	expect(before.leaves >= 3, "boot has mapped %lu pages", before.leaves);
	hat_kern_setup();
	after = sum_of_tables();
	expect(before.leaves == after.leaves && before.hash == after.hash, "adoption has changed the tables");
	expect(active_ptables == tables, "%u tables, %u adopted", tables, active_ptables);
	host_boot_rest();
	host_sound("after start-up");
	hat_compare(kas_hat);
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		try_kernel();
	}
	host_on(0);
	try_twice();
	host_sound("at the end");
	printf("boot: %u tables adopted, %lu pages, CPUs: %d\n", tables, after.leaves, ncpus);
}
