/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 1: windows, and what is done to many entries at once.
 *
 * Windows are the kernel's own: what a copy leaves in them is put right before the check says what it thinks of it.
 */
#define CHECK_PART 1 /* checks run, and are shown, in the order of the handout */

#include <check/guard.h>
#include <labs/lab1-entries/checks.h>
#include <labs/lab1-entries/step.h>
#include <memmap.h>
#include <sys/cpu.h>
#include <sys/printf.h>
#include <sys/windows.h>
#include <x86/cpufunc.h>

/* ------------------------------------------------------------------ kbm_remap_window */

static void *
boot_entry(void)
{
	return (PT_INDEX_PTR(WINDOW_VA(WINDOW_TABLE), WINDOW_BOOT));
}

static void
fill_page(const page_t *pp, uint32_t word)
{
	for (uint_t off = 0; off < PAGESIZE; off += 512)
		check_true(poke_phys(pfn_to_pa(pp->p_pagenum) + off, &word, sizeof(word)), "page 0x%lx", pp->p_pagenum);
}

static page_t *pages[2];

static void
take_pages(void)
{
	pages[0] = check_page();
	pages[1] = check_page();
	fill_page(pages[0], 0x11111111);
	fill_page(pages[1], 0x22222222);
}

static void
drop_pages(void)
{
	page_free(pages[0], 0);
	page_free(pages[1], 0);
}

/* What a copy did with the boot window, and the window as it was before. */
static struct {
	void *ptr;
	x86pte_t entry;
	uint32_t word;
	bool readable;
} shown;

static void
show(const page_t *pp, uintptr_t offset, bool writable)
{
	shown.ptr = kbm_remap_window(pfn_to_pa(pp->p_pagenum) + offset, writable);
	shown.readable = peek(shown.ptr, &shown.word, sizeof(shown.word));
	shown.entry = MMU_PAE ? *(volatile x86pte_t *)boot_entry() : *(volatile x86pte32_t *)boot_entry();
}

static void
boot_window_as_it_was(x86pte_t saved)
{
	pte_store(boot_entry(), saved);
	invlpg(WINDOW_VA(WINDOW_BOOT));
	kpreempt_enable();
}

static x86pte_t
boot_window_begin(void)
{
	kpreempt_disable();
	invlpg(WINDOW_VA(WINDOW_BOOT));
	return (MMU_PAE ? *(volatile x86pte_t *)boot_entry() : *(volatile x86pte32_t *)boot_entry());
}

CHECK(bootwin_shows, "bootwin-shows", "kbm_remap_window", 1, 2, NULL, CK_BARE)
{
	uintptr_t offset = 512 * (1 + check_random(7));
	x86pte_t saved, want;

	take_pages();
	want = MAKEPTE(pages[0]->p_pagenum, 0) | PT_WRITABLE | mmu.pt_nx;
	saved = boot_window_begin();
	copy_on(hat);
	show(pages[0], offset, true);
	copy_off();
	boot_window_as_it_was(saved);
	check_true((uintptr_t)shown.ptr == WINDOW_VA(WINDOW_BOOT) + offset,
	    "the window is at 0x%lx; for offset 0x%lx it returned 0x%lx", (ulong_t)WINDOW_VA(WINDOW_BOOT), (ulong_t)offset,
	    (ulong_t)(uintptr_t)shown.ptr);
	check_true(PTE2PFN(shown.entry, 0) == pages[0]->p_pagenum, "the window's entry is 0x%llx, and frame 0x%lx was to be shown",
	    (unsigned long long)shown.entry, pages[0]->p_pagenum);
	check_true((shown.entry & (want | PT_USER)) == want,
	    "the window's entry is 0x%llx: it wants to be valid, writable, the kernel's alone, not executable",
	    (unsigned long long)shown.entry);
	check_true(
	    shown.readable && shown.word == 0x11111111, "through the window 0x%x is read, in the frame is 0x11111111", shown.word);
	drop_pages();
}

static void
show_second(void)
{
	(void)kbm_remap_window(pfn_to_pa(pages[1]->p_pagenum), false);
}

CHECK(bootwin_again, "bootwin-again", "kbm_remap_window", 1, 2, "bootwin-shows", CK_BARE)
{
	x86pte_t saved;
	uint_t flushes;

	take_pages();
	saved = boot_window_begin();
	copy_on(hat);
	show(pages[0], 0, false);
	show(pages[1], 0, false);
	(void)kbm_remap_window(pfn_to_pa(pages[0]->p_pagenum), false);
	flushes = step_flushes(show_second);
	copy_off();
	boot_window_as_it_was(saved);
	check_true(
	    shown.word == 0x22222222, "the window was moved to another frame, but a read finds 0x%x of the first one", shown.word);
	check_true(flushes > 0, "the window was moved to another frame, and no instruction tells the TLB so");
	drop_pages();
}

CHECK(bootwin_readonly, "bootwin-readonly", "kbm_remap_window", 1, 1, "bootwin-shows", CK_BARE)
{
	x86pte_t saved;

	take_pages();
	saved = boot_window_begin();
	copy_on(hat);
	show(pages[0], 0, false);
	copy_off();
	boot_window_as_it_was(saved);
	check_true(!(shown.entry & PT_WRITABLE), "a window to read through has the entry 0x%llx: writable",
	    (unsigned long long)shown.entry);
	drop_pages();
}

/* ------------------------------------------------------------------ x86pte_mapin, x86pte_mapout */

/* Is this CPU's page window there, and the route? Else tables are reached by the linear map. */
static bool
by_window(void)
{
	return (ptable_vbase == 0);
}

static x86pte_t
window_entry(uint_t window)
{
	void *p = PT_INDEX_PTR(mmu.pwin_pte_va, window);

	return (MMU_PAE ? *(volatile x86pte_t *)p : *(volatile x86pte32_t *)p);
}

/* The reference stores an entry anew when it is another frame's. Nothing is remembered of the window then. */
static void
windows_put_right(void)
{
	for (int i = 0; i < 2; i++) {
		(void)x86pte_mapin(pages[i]->p_pagenum, 0, NULL);
		if (by_window())
			invlpg(mmu.pwin_base + 2 * CPU->cpu_id * PAGESIZE);
		x86pte_mapout();
	}
}

static x86pte_t
read_through(const void *p)
{
	x86pte_t e = 0;

	return (peek(p, &e, mmu.pte_size) ? e : ~(x86pte_t)0);
}

/* Map the table in, read, write, map out; the window's entry meanwhile. */
static x86pte_t
visit(pfn_t pfn, uint_t index, x86pte_t *seen, x86pte_t write)
{
	void *p = x86pte_mapin(pfn, index, NULL);
	x86pte_t entry = by_window() ? window_entry(2 * CPU->cpu_id) : 0;

	*seen = read_through(p);
	(void)poke(p, &write, mmu.pte_size);
	x86pte_mapout();
	return (entry);
}

CHECK(mapin_reaches, "mapin-reaches", "x86pte_mapin", 1, 2, NULL, 0)
{
	x86pte_t there = junk(), new = junk(), seen, entry, want;

	take(hat);
	take_pages();
	put_raw(at.ht, at.entry, there);
	windows_put_right();
	copy_on(hat);
	entry = visit(at.ht->ht_pfn, at.entry, &seen, new);
	copy_off();
	windows_put_right();
	check_true(seen == there, "entry %u of the table in frame 0x%lx is 0x%llx; where x86pte_mapin() points stands 0x%llx",
	    at.entry, at.ht->ht_pfn, (unsigned long long)there, (unsigned long long)seen);
	want_entry(new, "written to through the pointer");
	want = MAKEPTE(at.ht->ht_pfn, 0) | PT_WRITABLE | mmu.pt_global | mmu.pt_nx;
	if (by_window())
		check_true(PTE_EQUIV(entry, want), "the page window's entry is 0x%llx, want 0x%llx", (unsigned long long)entry,
		    (unsigned long long)want);
	drop_pages();
	drop();
}

static void
map_second(void)
{
	(void)x86pte_mapin(pages[1]->p_pagenum, 0, NULL);
	x86pte_mapout();
}

/* The TLB remembers what the window showed before. */
CHECK(mapin_again, "mapin-again", "x86pte_mapin", 1, 1, "mapin-reaches", 0)
{
	x86pte_t first, second;
	uint_t flushes, again;

	take_pages();
	copy_on(hat);
	kpreempt_disable();
	(void)visit(pages[0]->p_pagenum, 0, &first, 0x11111110);
	(void)visit(pages[1]->p_pagenum, 0, &second, 0x22222220);
	(void)visit(pages[0]->p_pagenum, 0, &first, 0);
	flushes = step_flushes(map_second);
	again = step_flushes(map_second);
	kpreempt_enable();
	copy_off();
	windows_put_right();
	check_true((uint32_t)second == 0x22222222 && (uint32_t)first == 0x11111110,
	    "two tables mapped in in turn: 0x%llx was read from the second, then 0x%llx from the first", (unsigned long long)second,
	    (unsigned long long)first);
	check_true(flushes > 0 || !by_window(), "the page window was moved to another frame, and no instruction tells the TLB so");
	check_true(again == 0, "a table that the window shows already was mapped in: %u flushes, want none", again);
	drop_pages();
}

/* With a window: nobody else may move it meanwhile. Without one nothing is held, and tables can be reached side by side. */
CHECK(mapin_held, "mapin-held", "x86pte_mapin", 1, 2, "mapin-reaches", 0)
{
	kthread_t *t = curthread;
	int preempt = t->t_preempt, locks = t->t_nlocks, preempt_in, locks_in, preempt_out, locks_out;
	bool owned, linear = true;
	void *p;

	take_pages();
	copy_on(hat);
	p = x86pte_mapin(pages[0]->p_pagenum, 0, NULL);
	preempt_in = t->t_preempt - preempt;
	locks_in = t->t_nlocks - locks;
	owned = MUTEX_HELD(&CPU->cpu_hat_info->hci_mutex);
	x86pte_mapout();
	preempt_out = t->t_preempt - preempt;
	locks_out = t->t_nlocks - locks;
	copy_off();
	if (by_window()) {
		windows_put_right();
		check_true(owned && locks_in == 1, "between mapin and mapout hci_mutex is %sheld, %d mutexes in all",
		    owned ? "" : "not ", locks_in);
		check_true(preempt_in == 1, "between mapin and mapout preemption is off %d times, want 1", preempt_in);
	} else {
		linear = p == hat_kpm_pfn2va(pages[0]->p_pagenum);
		check_true(linear, "there is a linear map, but the table is shown at 0x%lx", (ulong_t)(uintptr_t)p);
		check_true(locks_in == 0 && preempt_in == 0,
		    "the linear map needs no lock: %d mutexes held, preemption off %d times", locks_in, preempt_in);
	}
	check_true(locks_out == 0 && preempt_out == 0, "after mapout %d mutexes are held, preemption is off %d times", locks_out,
	    preempt_out);
	drop_pages();
}

/** The kernel as it was when it started: no linear map, no page windows yet. */
static struct {
	uintptr_t vbase, where;
	x86pte_t window, seen;
} early;

/* Word 0 of eight is marked in a page: entry 64, or 128, begins with one. */
static void
visit_early(void)
{
	void *p = x86pte_mapin(pages[0]->p_pagenum, 512 / mmu.pte_size, NULL);

	early.seen = read_through(p);
	early.where = (uintptr_t)p;
	x86pte_mapout();
}

static void
early_over(void)
{
	khat_running = true;
	ptable_vbase = early.vbase;
	pte_store(boot_entry(), early.window);
	invlpg(WINDOW_VA(WINDOW_BOOT));
}

/* As it was when the kernel started; whatever happens, it is not for long. */
CHECK(mapin_boot, "mapin-boot", "x86pte_mapin", 1, 1, "mapin-reaches mapin-held", 0)
{
	take_pages();
	early.vbase = ptable_vbase;
	early.window = boot_window_begin();
	copy_on(hat);
	khat_running = false;
	ptable_vbase = 0;
	check_guarded(visit_early, early_over);
	early_over();
	copy_off();
	kpreempt_enable();
	check_true((uint32_t)early.seen == 0x11111111,
	    "before the HAT runs (khat_running is false) 0x%llx was read, want 0x11111111", (unsigned long long)early.seen);
	if (by_window())
		check_true((early.where & PAGEMASK) == WINDOW_VA(WINDOW_BOOT),
		    "before the HAT runs tables are shown by the boot window, not at 0x%lx", (ulong_t)early.where);
	drop_pages();
}

/* ------------------------------------------------------------------ x86pte_access_pagetable, x86pte_release_pagetable */

CHECK(access_table, "access-table", "x86pte_access", 1, 2, NULL, 0)
{
	x86pte_t there = junk(), new = junk(), seen;
	int preempt = curthread->t_preempt;
	void *p;

	take(hat);
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	p = x86pte_access_pagetable(at.ht, at.entry);
	seen = read_through(p);
	(void)poke(p, &new, mmu.pte_size);
	x86pte_release_pagetable(at.ht);
	check_true(curthread->t_preempt == preempt, "after x86pte_release_pagetable() preemption is off %d times",
	    curthread->t_preempt - preempt);
	copy_off();
	check_true(seen == there, "entry %u is 0x%llx; where x86pte_access_pagetable() points stands 0x%llx", at.entry,
	    (unsigned long long)there, (unsigned long long)seen);
	want_entry(new, "written to through the pointer");
	drop();
}

CHECK(access_vlp, "access-vlp", "x86pte_access", 1, 2, "access-table", CK_BARE)
{
	htable_t ht = { .ht_hat = hat, .ht_level = VLP_LEVEL, .ht_flags = HTABLE_VLP, .ht_pfn = PFN_INVALID };
	int preempt = curthread->t_preempt;

	copy_on(hat);
	for (uint_t i = 0; i < VLP_NUM_PTES; i++) {
		void *p = x86pte_access_pagetable(&ht, i);

		check_true(p == &hat->hat_vlp_ptes[i], "entry %u of a table inside its hat is at 0x%lx, want 0x%lx", i,
		    (ulong_t)(uintptr_t)p, (ulong_t)(uintptr_t)&hat->hat_vlp_ptes[i]);
		check_true(curthread->t_preempt == preempt, "a table inside its hat needs no window, but preemption is off");
		x86pte_release_pagetable(&ht);
	}
	if (trial_records("x86pte_mapout"))
		check_true(
		    trial_calls("x86pte_mapin", TRIAL_ANY, TRIAL_ANY) + trial_calls("x86pte_mapout", TRIAL_ANY, TRIAL_ANY) == 0,
		    "a table inside its hat was mapped in %u times, out %u times",
		    trial_calls("x86pte_mapin", TRIAL_ANY, TRIAL_ANY), trial_calls("x86pte_mapout", TRIAL_ANY, TRIAL_ANY));
	copy_off();
}

#undef CHECK_PART
#define CHECK_PART 5

/* ------------------------------------------------------------------ x86pte_copy, x86pte_zero */

/* Junk in every entry, from a start that makes tables differ. */
static x86pte_t
filler(uint_t start, uint_t entry)
{
	return (narrowed((x86pte_t)(start + entry) << 36 | (x86pte_t)(start + entry) << 13 | 0x10));
}

static htable_t *
filled_table(hat_t *hat, uint_t start)
{
	htable_t *ht = htable_create(hat, check_va(0), 0, NULL);

	for (uint_t i = 0; i < mmu.ptes_per_table; i++)
		put_raw(ht, i, filler(start, i));
	return (ht);
}

static void
drop_table(htable_t *ht)
{
	for (uint_t i = 0; i < mmu.ptes_per_table; i++)
		put_raw(ht, i, 0);
	htable_release(ht);
}

/* Both windows, by the reference. */
static void
copies_put_right(htable_t *ht)
{
	take_pages();
	windows_put_right();
	drop_pages();
	x86pte_copy(ht, ht, 0, 0);
}

static struct {
	htable_t *from, *to;
	uint_t entry, count;
} todo;

static void
do_copy(void)
{
	x86pte_copy(todo.from, todo.to, todo.entry, todo.count);
}

static void
put_copies_right(void)
{
	copies_put_right(todo.from);
}

static void
copy(hat_t *hat, htable_t *from, htable_t *to, uint_t entry, uint_t count)
{
	todo.from = from;
	todo.to = to;
	todo.entry = entry;
	todo.count = count;
	copy_on(hat);
	check_guarded(do_copy, put_copies_right);
	copy_off();
	copies_put_right(from);
}

/* [entry, entry + count) must be `inside` (from a start, or 0), the rest as it was. */
static void
want_range(const htable_t *ht, uint_t entry, uint_t count, uint_t inside, uint_t outside, const char *what)
{
	for (uint_t i = 0; i < mmu.ptes_per_table; i++) {
		bool in = i >= entry && i < entry + count;
		x86pte_t have = raw_entry(ht, i), want = !in ? filler(outside, i) : inside == 0 ? 0 : filler(inside, i);

		check_true(have == want, "%s of %u entries from %u on: entry %u is 0x%llx, want 0x%llx", what, count, entry, i,
		    (unsigned long long)have, (unsigned long long)want);
	}
}

#define FROM    1u
#define TO      3001u
#define ANOTHER 6001u

CHECK(copy_range, "copy-range", "x86pte_copy", 1, 3, NULL, 0)
{
	uint_t n = mmu.ptes_per_table, count = 1 + (uint_t)check_random(n / 2), entry = 1 + (uint_t)check_random(n / 2 - 1);
	htable_t *from = filled_table(hat, FROM), *to = filled_table(hat, TO);

	copy(hat, from, to, entry, count);
	want_range(to, entry, count, FROM, TO, "the copy");
	want_range(from, 0, n, FROM, FROM, "the source of a copy");
	copy(hat, from, to, n - 3, 3);
	check_eq(raw_entry(to, n - 1), filler(FROM, n - 1), "the last entry, copied");
	drop_table(from);
	drop_table(to);
}

static void
copy_stepped(void)
{
	x86pte_copy(todo.from, todo.to, todo.entry, todo.count);
}

/* The window onto the source has shown another table before. */
CHECK(copy_again, "copy-again", "x86pte_copy", 1, 1, "copy-range", 0)
{
	htable_t *from = filled_table(hat, FROM), *another = filled_table(hat, ANOTHER), *to = filled_table(hat, TO);
	uint_t flushes;

	copy_on(hat);
	kpreempt_disable();
	x86pte_copy(from, to, 0, 8);
	x86pte_copy(another, to, 8, 8);
	todo.from = from;
	todo.to = to;
	todo.entry = 16;
	todo.count = 1;
	flushes = step_flushes(copy_stepped);
	kpreempt_enable();
	copy_off();
	copies_put_right(from);
	check_eq(raw_entry(to, 0), filler(FROM, 0), "an entry copied from the first table");
	check_eq(raw_entry(to, 8), filler(ANOTHER, 8), "an entry copied from another table after that");
	check_true(
	    flushes > 0 || kpm_vbase != 0, "the source's window was moved to another frame, and no instruction tells the TLB so");
	drop_table(from);
	drop_table(another);
	drop_table(to);
}

CHECK(zero_range, "zero-range", "x86pte_zero", 1, 2, NULL, 0)
{
	uint_t n = mmu.ptes_per_table, count = 1 + (uint_t)check_random(n / 2), entry = 1 + (uint_t)check_random(n / 2 - 1);
	htable_t *ht = filled_table(hat, TO);

	copy_on(hat);
	x86pte_zero(ht, entry, count);
	copy_off();
	want_range(ht, entry, count, 0, TO, "x86pte_zero()");
	copy_on(hat);
	x86pte_zero(ht, 0, n);
	copy_off();
	want_range(ht, 0, n, 0, TO, "x86pte_zero()");
	drop_table(ht);
}
