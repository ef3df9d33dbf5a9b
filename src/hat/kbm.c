/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The boot mapper (see kbm.h).
 *
 * Tables are reached through the one boot window only, so a pointer to an entry is good until the next call that may move
 * the window: every step below re-points it before it touches an entry.
 */
#include <hat/kbm.h>
#include <hat/dump_table.h>
#include <hat/hat_md.h>
#include <hat/x86pte.h>
#include <boot/boot.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <memmap.h>

static pfn_t top_pfn;

/** Where an address's entry is: the frame of its table, and the index. */
struct slot {
	pfn_t pfn;
	uint_t index;
	level_t level;
};

static uint_t
entries_at(level_t level)
{
	return (level == mmu.max_level ? mmu.top_level_count : mmu.ptes_per_table);
}

static x86pte_t
slot_get(const struct slot *s)
{
	return (pte_load(PT_INDEX_PTR(kbm_remap_window(pfn_to_pa(s->pfn), true), s->index)));
}

static void
slot_put(const struct slot *s, x86pte_t value)
{
	pte_store(PT_INDEX_PTR(kbm_remap_window(pfn_to_pa(s->pfn), true), s->index), value);
}

static void
check_allowed(uintptr_t va)
{
	if (khat_running)
		panic("boot mapper used for 0x%lx after the HAT took over", va);
}

/** The slot for va at the lowest level that exists, but not below `level`; made down to `level` if wanted. */
static struct slot
find_slot(uintptr_t va, level_t level, bool make)
{
	struct slot s = { .pfn = top_pfn, .level = mmu.max_level };

	for (;;) {
		x86pte_t pte;

		s.index = (va >> LEVEL_SHIFT(s.level)) & (entries_at(s.level) - 1);
		if (s.level == level)
			return (s);
		pte = slot_get(&s);
		if (!PTE_ISVALID(pte) && make) {
			pte = MAKEPTP(make_ptable(), s.level - 1);
			slot_put(&s, pte);
			if (s.level == VLP_LEVEL && mmu.max_level == VLP_LEVEL)
				write_cr3(read_cr3()); /* PAE directory pointers are read at this moment only [SDM3 4.4.1] */
		}
		if (!PTE_ISVALID(pte) || PTE_IS_LGPG(pte, s.level))
			return (s);
		s.pfn = PTE2PFN(pte, s.level);
		s.level--;
	}
}

pfn_t
make_ptable(void)
{
	pfn_t pfn = boot_alloc_frame();

	memset(kbm_remap_window(pfn_to_pa(pfn), true), 0, PAGESIZE);
	return (pfn);
}

void
kbm_make_table(uintptr_t va, level_t level)
{
	check_allowed(va);
	(void)find_slot(va, level, true);
}

static x86pte_t
boot_leaf(uintptr_t va, paddr_t pa, level_t level)
{
	x86pte_t pte = MAKEPTE(pa_to_pfn(pa), level) | PT_WRITABLE | PT_NOCONSIST | PT_REF | PT_MOD | mmu.pt_nx;

	return (va >= kernelbase ? pte | mmu.pt_global : pte);
}

void
kbm_map(uintptr_t va, paddr_t pa, level_t level)
{
	struct slot s;
	x86pte_t old;

	check_allowed(va);
	s = find_slot(va, level, true);
	old = slot_get(&s);
	if (s.level != level || PTE_ISVALID(old))
		panic("kbm_map: 0x%lx is mapped already (level %d, entry 0x%llx)", va, s.level, (unsigned long long)old);
	slot_put(&s, boot_leaf(va, pa, level));
}

/** Largest level whose pages both addresses are aligned to and that fits into len. */
static level_t
best_level(uintptr_t va, paddr_t pa, size_t len)
{
	level_t level = mmu.max_page_level;

	while (level > 0 && (((va | (uintptr_t)pa) & LEVEL_OFFSET(level)) != 0 || len < LEVEL_SIZE(level)))
		level--;
	return (level);
}

void
kbm_map_range(uintptr_t va, paddr_t pa, size_t len)
{
	while (len > 0) {
		level_t level = best_level(va, pa, len);

		kbm_map(va, pa, level);
		va += LEVEL_SIZE(level);
		pa += LEVEL_SIZE(level);
		len -= LEVEL_SIZE(level);
	}
}

x86pte_t
kbm_probe(uintptr_t va, level_t *levelp)
{
	struct slot s = find_slot(va, 0, false);
	x86pte_t pte = slot_get(&s);

	if (!PTE_ISPAGE(pte, s.level))
		return (0);
	if (levelp != NULL)
		*levelp = s.level;
	return (pte);
}

/** Replace the leaf at va; `clear` and `set` are bits of it. */
static void
change_leaf(uintptr_t va, x86pte_t clear, x86pte_t set)
{
	struct slot s;
	x86pte_t pte;

	check_allowed(va);
	s = find_slot(va, 0, false);
	pte = slot_get(&s);
	if (!PTE_ISPAGE(pte, s.level))
		panic("boot mapper: 0x%lx is not mapped", va);
	slot_put(&s, (pte & ~clear) | set);
	invlpg(va);
}

void
kbm_unmap(uintptr_t va)
{
	change_leaf(va, ~0ull, 0);
}

void
kbm_read_only(uintptr_t va)
{
	change_leaf(va, PT_WRITABLE, 0);
}

/** All leaves of a range, whatever their size. */
static void
change_leaves(uintptr_t va, size_t len, x86pte_t clear, x86pte_t set)
{
	uintptr_t end = va + len;
	level_t level = 0;

	while (va < end) {
		(void)kbm_probe(va, &level);
		change_leaf(va, clear, set);
		va += LEVEL_SIZE(level);
	}
}

void
kbm_init(void)
{
	uintptr_t text = (uintptr_t)text_start, data = (uintptr_t)data_start;

	top_pfn = md_boot_top();
	md_settle_links(kbm_remap_window(pfn_to_pa(top_pfn), true));
	change_leaves(text, data - text, PT_WRITABLE, mmu.pt_global);
	change_leaves(data, LEVEL_SIZE(1), 0, mmu.pt_nx | mmu.pt_global);
	change_leaf(WINDOW_VA(WINDOW_TABLE), 0, mmu.pt_nx | mmu.pt_global);
}

pfn_t
kbm_top_pfn(void)
{
	return (top_pfn);
}

/* ------------------------------------------------------------------ what it has built */

typedef void (*visit_t)(uintptr_t base, level_t level, pfn_t pfn);

/** Call visit for a table and all below it, in ascending order. */
static void
each_table(uintptr_t base, level_t level, pfn_t pfn, visit_t visit)
{
	struct slot s = { .pfn = pfn, .level = level };
	uintptr_t va = base;

	visit(base, level, pfn);
	for (s.index = 0; level > 0 && s.index < entries_at(level); s.index++) {
		x86pte_t pte = slot_get(&s);

		if (PTE_ISVALID(pte) && !PTE_IS_LGPG(pte, level))
			each_table(va, level - 1, PTE2PFN(pte, level), visit);
		va = NEXT_ENTRY_VA(va, level);
	}
}

static uint_t tables_seen;

static void
count_one(uintptr_t base, level_t level, pfn_t pfn)
{
	(void)base, (void)level, (void)pfn;
	tables_seen++;
}

uint_t
kbm_count_tables(void)
{
	tables_seen = 0;
	each_table(0, mmu.max_level, top_pfn, count_one);
	return (tables_seen);
}

/*
 * There are no htables yet: each table is shown through one made up for the moment. Its address in the dump is that of
 * its frame, so that a parent can be named.
 */
static hat_t boot_hat;

static void
dump_boot_table(uintptr_t base, level_t level, pfn_t pfn)
{
	htable_t ht = { .ht_hat = &boot_hat, .ht_vaddr = base, .ht_level = level, .ht_pfn = pfn };

	dump_table(&ht);
}

void
kbm_dump(void)
{
	htable_t top = { .ht_hat = &boot_hat, .ht_level = mmu.max_level, .ht_pfn = top_pfn };

	boot_hat.hat_htable = &top;
	dump_hat_begin(&boot_hat);
	each_table(0, mmu.max_level, top_pfn, dump_boot_table);
	dump_hat_end(&boot_hat);
	boot_hat.hat_htable = NULL;
}
