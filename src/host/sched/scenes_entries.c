/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Scenarios about one entry, and who remembers it.
 */
#include <host/sched/scene.h>
#include <memmap.h>

static htable_t *ht;
static uint_t entry;
static x86pte_t taken, replaced;
static volatile uint32_t written;

static void
read_on(int id)
{
	host_on(id);
	expect(world_access(VA, false) == page[0], "the page cannot be read");
	host_on(0);
}

/** One page that all CPUs may use, and that CPU 0 and another one have read. */
static void
loaded(uint_t attr, int id)
{
	hat_memload(space, VA, page[0], attr, HAT_LOAD);
	world_runs(space, CPUSET(ncpus) - 1);
	read_on(0);
	read_on(id);
	written = 0;
}

static void
write_once(void)
{
	page_t *pp = world_access(VA, true);

	expect(pp == NULL || pp == page[0], "a program writes to another page");
	written = pp != NULL;
}

static void
write_if_allowed(void)
{
	bool forbidden = flag != 0;

	write_once();
	expect(!written || !forbidden, "a program writes after its permission has been taken");
}

/* ------------------------------------------------------------------ set and inval */

static void
held_table(void)
{
	loaded(RW, ncpus - 1);
	ht = htable_getpage(space, VA, &entry);
}

static x86pte_t
with(uint_t attr)
{
	return (hati_mkpte(space, VA, page[0]->p_pagenum, attr | HAT_STORECACHING_OK, 0, HAT_LOAD));
}

static void
set_read_only(void)
{
	replaced = x86pte_set(ht, entry, with(RO), NULL);
}

static void
inval(void)
{
	taken = x86pte_inval(ht, entry, 0, NULL);
}

/** Each change saw what was there, and a write is noted somewhere. */
static void
no_change_lost(void)
{
	x86pte_t left = x86pte_get(ht, entry);

	expect(PTE_ISVALID(replaced) != PTE_ISVALID(left), "set found 0x%llx, inval found 0x%llx, and 0x%llx is left",
	    (unsigned long long)replaced, (unsigned long long)taken, (unsigned long long)left);
	expect(!written || ((taken | replaced | left) & PT_MOD), "a write is noted nowhere");
	if (!PTE_ISVALID(left)) /* its record and its count are still there */
		(void)x86pte_set(ht, entry, with(RW), NULL);
	htable_release(ht);
}

/** The page is in use: written, and remembered so. */
static void
held_and_written(void)
{
	held_table();
	world_runs(space, CPUSET(1));
	host_on(1);
	(void)world_access(VA, true);
	host_on(0);
	written = 0;
}

static void
set_then_flag(void)
{
	set_read_only();
	flag = 1;
}

static void
writes_end(void)
{
	x86pte_t left = x86pte_get(ht, entry);

	expect(PTE_EQUIV(left, with(RO)), "the entry is 0x%llx", (unsigned long long)left);
	expect(!written || (left & PT_MOD), "a write is noted nowhere");
	htable_release(ht);
}

/* ------------------------------------------------------------------ an entry is whole */

#define OTHER_FRAME (x86pte_t)0x01000000 /* and no execution: both halves differ */

static x86pte_t seen;

/** An entry of the table that no record is about, and no CPU uses. */
static void
held_spare(void)
{
	held_table();
	entry++;
	(void)x86pte_set(ht, entry, with(RO) | PT_NOCONSIST, NULL);
}

static x86pte_t
other_entry(void)
{
	return (((with(RO) | PT_NOCONSIST) ^ mmu.pt_nx) + OTHER_FRAME);
}

static void
set_other(void)
{
	(void)x86pte_set(ht, entry, other_entry(), NULL);
}

static void
set_back(void)
{
	(void)x86pte_set(ht, entry, with(RO) | PT_NOCONSIST, NULL);
}

static void
get(void)
{
	seen = x86pte_get(ht, entry);
}

static void
seen_whole(void)
{
	expect(seen == other_entry() || seen == (with(RO) | PT_NOCONSIST), "an entry was read that never was: 0x%llx",
	    (unsigned long long)seen);
	(void)x86pte_inval(ht, entry, 0, NULL);
	htable_release(ht);
}

/* ------------------------------------------------------------------ permissions and bits against a writer */

static void
read_write(void)
{
	loaded(RW, 1);
}

/** From then on nobody writes. */
static void
forbid_writing(void)
{
	hat_clrattr(space, VA, PAGESIZE, PROT_WRITE);
	flag = 1;
}

/** The entry of the page, whatever its table. */
static x86pte_t
entry_now(void)
{
	x86pte_t pte = 0;

	htable_release(htable_getpte(space, VA, NULL, &pte, 0));
	return (pte);
}

/** Nor is it noted where its owner would not learn of it: he waits for a fault. */
static void
forbidden_and_clean(void)
{
	expect((entry_now() & (PT_WRITABLE | PT_MOD)) == 0, "the entry is still 0x%llx", (unsigned long long)entry_now());
}

static void
forbidden_and_noted(void)
{
	expect(!written || (page[0]->p_nrm & P_MOD), "a write is noted nowhere");
	forbidden_and_clean();
}

static void
writes_are_noted(void)
{
	expect(!written || (page[0]->p_nrm & P_MOD) || (hat_pagesync(page[0], 0) & P_MOD), "a write is noted nowhere");
}

static void
collect_bits(void)
{
	(void)hat_pagesync(page[0], HAT_SYNC_ZERORM);
}

/** The page is one whose owner wants to know of writes. */
static void
sorted_page(void)
{
	page[0]->p_flags |= PAGE_SORTED;
	loaded(RW, 1);
}

static void
make_clean(void)
{
	hat_page_clrattr(page[0], P_MOD);
	flag = 1;
}

/* ------------------------------------------------------------------ a page is taken away, and used again */

static void
two_written(void)
{
	hat_memload(space, VA, page[0], RW, HAT_LOAD);
	hat_memload(space, VA2, page[1], RW, HAT_LOAD);
	world_runs(space, CPUSET(2));
	host_on(2);
	expect(world_access(VA, true) == page[0] && world_access(VA2, true) == page[1], "pages cannot be written");
	host_on(0);
}

static void
unload_both(void)
{
	hat_unload(space, VA, 2 * PAGESIZE, HAT_UNLOAD);
}

/** When nothing maps the page it is somebody else's. */
static void
take_page(void)
{
	(void)hat_pageunload(page[0], 0);
	flag = 1;
}

static void
write_if_ours(void)
{
	bool gone = flag != 0;
	page_t *pp = world_access(VA, true);

	expect(pp == NULL || !gone, "a program writes to a page that is another's now");
}

/* ------------------------------------------------------------------ who joins, and who sleeps */

static void
page_unused(void)
{
	hat_memload(space, VA, page[0], RW, HAT_LOAD);
}

static void
unload_page(void)
{
	hat_unload(space, VA, PAGESIZE, HAT_UNLOAD);
	flag = 1;
}

static void
join_and_write(void)
{
	hat_setup(space);
	write_if_ours();
}

/** CPU 1 has written, and sleeps. */
static void
written_then_idle(void)
{
	loaded(RW, 1);
	host_on(1);
	(void)world_access(VA, true);
	host_on(0);
}

static void
sleep_and_write(void)
{
	tlb_going_idle();
	tlb_service();
	write_if_ours();
}

static void
read_then_idle(void)
{
	loaded(RO, 1);
}

static void
read_if_ours(void)
{
	bool gone = flag != 0;
	page_t *pp = world_access(VA, false);

	expect(pp == NULL || !gone, "a program reads a page that is another's now");
}

static void
sleep_and_read(void)
{
	tlb_going_idle();
	tlb_service();
	read_if_ours();
}

/* ------------------------------------------------------------------ the kernel's own pages */

#define KERNEL_VA (HEAP_BASE + 5 * PAGESIZE)

static page_t *
kernel_access(void)
{
	paddr_t pa;

	return (mmu_access(KERNEL_VA, MMU_WRITE, &pa) == 0 ? page_numtopp_nolock(pa_to_pfn(pa)) : NULL);
}

/** CPU 1 runs a user's program when it is interrupted. */
static void
kernel_page(void)
{
	hat_memload(kas_hat, KERNEL_VA, page[0], PROT_READ | PROT_WRITE, HAT_LOAD);
	world_runs(space, CPUSET(1));
	host_on(1);
	expect(kernel_access() == page[0], "the kernel's page cannot be written");
	host_on(0);
}

static void
unload_kernel_page(void)
{
	hat_unload(kas_hat, KERNEL_VA, PAGESIZE, HAT_UNLOAD);
	flag = 1;
}

static void
kernel_writes_if_there(void)
{
	bool gone = flag != 0;

	expect(kernel_access() == NULL || !gone, "the kernel writes to a page that is another's now");
}

static void
sleep_and_write_kernel(void)
{
	tlb_going_idle();
	tlb_service();
	kernel_writes_if_there();
}

/* ------------------------------------------------------------------ directories */

static void
narrow_space(void)
{
	client[0] = hat_alloc(&narrow);
	world_runs(client[0], CPUSET(1));
}

static void
load_in_narrow(void)
{
	hat_memload(client[0], VA, page[0], RW, HAT_LOAD);
	flag = 1;
}

static void
read_in_narrow(void)
{
	bool there = flag != 0;
	page_t *pp = world_access(VA, false);

	expect(pp == page[0] || (pp == NULL && !there), "a program does not see what has been loaded for it");
}

static void
sleep_and_read_narrow(void)
{
	tlb_going_idle();
	tlb_service();
	read_in_narrow();
}

static void
narrow_page(void)
{
	narrow_space();
	hat_memload(client[0], VA, page[0], RW, HAT_LOAD);
	read_on(1);
}

/** The tables that go become another space's. */
static void
unload_narrow(void)
{
	hat_unload(client[0], VA, PAGESIZE, HAT_UNLOAD);
	flag = 1;
	hat_memload(client[0], FAR, page[2], RW, HAT_LOAD);
}

static void
read_narrow_if_ours(void)
{
	bool gone = flag != 0;
	page_t *pp = world_access(VA, false);

	expect(pp == NULL || (pp == page[0] && !gone), "a program reads a page that is another's now");
}

const struct scene scenes_entries[] = {
	{ "set-inval", 3, held_table, { set_read_only, inval, write_once }, no_change_lost, 0 },
	{ "set-write", 2, held_and_written, { set_then_flag, write_if_allowed }, writes_end, 0 },
	{ "set-dirty", 2, held_table, { set_then_flag, write_if_allowed }, writes_end, 0 },
	{ "get-set", 3, held_spare, { set_other, get, set_back }, seen_whole, 0 },
	{ "update-write", 2, read_write, { forbid_writing, write_if_allowed }, forbidden_and_noted, 0 },
	{ "collect-write", 2, read_write, { collect_bits, write_once }, writes_are_noted, 0 },
	{ "clean-write", 2, sorted_page, { make_clean, write_if_allowed }, forbidden_and_clean, 0 },
	{ "unload-reuse", 3, two_written, { unload_both, take_page, write_if_ours }, NULL, 0 },
	{ "unload-join", 2, page_unused, { unload_page, join_and_write }, NULL, 0 },
	{ "unload-idle", 2, written_then_idle, { unload_page, sleep_and_write }, NULL, 0 },
	{ "unload-read", 2, read_then_idle, { unload_page, read_if_ours }, NULL, 0 },
	{ "read-idle", 2, read_then_idle, { unload_page, sleep_and_read }, NULL, 0 },
	{ "narrow-load", 2, narrow_space, { load_in_narrow, read_in_narrow }, NULL, 0 },
	{ "narrow-idle", 2, narrow_space, { load_in_narrow, sleep_and_read_narrow }, NULL, 0 },
	{ "narrow-unload", 2, narrow_page, { unload_narrow, read_narrow_if_ours }, NULL, 0 },
	{ "kernel-unload", 2, kernel_page, { unload_kernel_page, kernel_writes_if_there }, NULL, 0 },
	{ "kernel-idle", 2, kernel_page, { unload_kernel_page, sleep_and_write_kernel }, NULL, 0 },
	{ 0 },
};
