/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Entries: taken apart bit by bit, a whole table of them, and the walk that the MMU makes through them.
 */
#include <check/peek_phys.h>
#include <check/walk.h>
#include <hat/dump_table.h>
#include <monitor/monitor_impl.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

/** What kind of entry it is decides what its bits mean. */
enum { LEAF = 1, LARGE = 2, LINK = 4, DIRECTORY = 8 }; /* DIRECTORY: of a PAE directory pointer table */

static uint_t
kind_of(x86pte_t e, level_t l)
{
	if (l == mmu.max_level && mmu.top_level_count == VLP_NUM_PTES)
		return (DIRECTORY);
	return (l == 0 ? LEAF : (e & PT_PAGESIZE) && l < MAX_NUM_LEVEL - 1 ? LARGE : LINK);
}

const char *
mon_page_size(level_t l)
{
	return (l == 0 ? "4K" : l == 2 ? "1G" : mmu.pae_hat ? "2M" : "4M");
}

static uint_t
cache_bits(x86pte_t e, level_t l)
{
	return (((e & (l > 0 ? PT_PAT_LARGE : PT_PAT_4K)) != 0) * 4 + ((e & PT_NOCACHE) != 0) * 2 + ((e & PT_WRITETHRU) != 0));
}

/* The words of a dump's `leaf` line. */
void
mon_entry_text(char *buf, size_t size, x86pte_t e, level_t l)
{
	uint_t kind = kind_of(e, l);

	if (!PTE_ISVALID(e))
		(void)snprintf(buf, size, "%s", e == 0 ? "empty" : "not valid, but not 0");
	else if (kind & (LINK | DIRECTORY))
		(void)snprintf(buf, size, "link -> frame 0x%lx", PTE2PFN(e, 0));
	else
		(void)snprintf(buf, size, "leaf -> frame 0x%lx %s r%c%c%c %c %c%c c%u s%u", PTE2PFN(e, l), mon_page_size(l),
		    e & PT_WRITABLE ? 'w' : '-', e & PT_NX ? '-' : 'x', e & PT_USER ? 'u' : 's', e & PT_GLOBAL ? 'g' : '-',
		    e & PT_REF ? 'a' : '-', e & PT_MOD ? 'd' : '-', cache_bits(e, l), (uint_t)((e & PT_SOFTWARE) >> 9));
}

/* ------------------------------------------------------------------ ::pte */

/** One field. Where its kind is not among `kinds` the bits are reserved or ignored. */
static const struct {
	uint8_t bit, width, kinds;
	const char *text; /**< Intel's name, ours, meaning */
} fields[] = {
	{ 0, 1, 15, "P, PT_VALID: present" },
	{ 1, 1, 7, "R/W, PT_WRITABLE: may be written" },
	{ 2, 1, 7, "U/S, PT_USER: ring 3 may use it" },
	{ 3, 1, 15, "PWT, PT_WRITETHRU: memory type, low bit" },
	{ 4, 1, 15, "PCD, PT_NOCACHE: memory type, middle bit" },
	{ 5, 1, 7, "A, PT_REF: has been used" },
	{ 6, 1, LEAF | LARGE, "D, PT_MOD: has been written" },
	{ 7, 1, LEAF, "PAT, PT_PAT_4K: memory type, high bit" },
	{ 7, 1, LARGE | LINK, "PS, PT_PAGESIZE: a leaf, not a link" },
	{ 8, 1, LEAF | LARGE, "G, PT_GLOBAL: survives a load of CR3" },
	{ 9, 3, 15, "AVL, PT_SOFTWARE: ours: 1 NOSYNC, 2 NOCONSIST, 3 and more FOREIGN" },
	{ 12, 1, LARGE, "PAT, PT_PAT_LARGE: memory type, high bit" },
	{ 63, 1, 7, "XD, PT_NX: no instruction may be fetched" },
};

static x86pte_t
frame_mask(uint_t kind, level_t l)
{
	x86pte_t mask = pfn_to_pa(mmu.highest_pfn) & PT_PADDR;

	return (kind == LARGE ? mask & ~(x86pte_t)LEVEL_OFFSET(l) : mask);
}

static void
pte_show(x86pte_t e, level_t l)
{
	uint_t kind = kind_of(e, l);
	x86pte_t rest = e & ~frame_mask(kind, l);
	char text[80];

	mon_entry_text(text, sizeof(text), e, l);
	printf("0x%0*llx at level %d: %s\n", (int)mmu.pte_size * 2, (unsigned long long)e, l, text);
	for (uint_t i = 0; i < NELEM(fields); i++) {
		uint_t bit = fields[i].bit, mask = (1u << fields[i].width) - 1;

		if ((fields[i].kinds & kind) == 0 || bit >= mmu.pte_size * 8)
			continue;
		printf("  bit %2u: %u  %s\n", bit, (uint_t)(e >> bit) & mask, fields[i].text);
		rest &= ~((x86pte_t)mask << bit);
	}
	printf("  frame 0x%llx, other bits 0x%llx%s\n", (unsigned long long)((e & frame_mask(kind, l)) >> PAGESHIFT),
	    (unsigned long long)rest, rest != 0 ? ": reserved or ignored, 0 in our tables" : "");
}

MON_COMMAND(pte, "pte", "VALUE [LEVEL]", "an entry bit by bit, Intel's names and ours")
{
	if (!mmu.pae_hat && a->value[0] > UINT32_MAX)
		mon_error("%s has more than 32 bits: entries of this kernel have not", a->word[0]);
	else
		pte_show(a->value[0], (level_t)a->value[1]);
}

/* ------------------------------------------------------------------ ::ptable */

static x86pte_t entries[1024];

/* A VLP table's are in its hat; all others are read from memory. Entries of 4 bytes are widened from the end backward. */
static bool
read_entries(const htable_t *ht)
{
	const uint32_t *narrow = (const uint32_t *)(const void *)entries;

	if (ht->ht_flags & HTABLE_VLP)
		return (mon_read(ht->ht_hat->hat_vlp_ptes, entries, VLP_SIZE));
	if (!peek_phys(pfn_to_pa(ht->ht_pfn), entries, PAGESIZE))
		return (false);
	for (uint_t i = mmu.pae_hat ? 0 : mmu.ptes_per_table; i-- > 0;)
		entries[i] = narrow[i];
	return (true);
}

bool
mon_entry(const htable_t *ht, uint_t index, x86pte_t *e)
{
	*e = 0;
	if (ht->ht_flags & HTABLE_VLP)
		return (mon_read(&ht->ht_hat->hat_vlp_ptes[index], e, sizeof(*e)));
	return (peek_phys(PT_INDEX_PHYSADDR(pfn_to_pa(ht->ht_pfn), index), e, mmu.pte_size));
}

/* Address of an entry, worked out without the lab's function for it. */
static uintptr_t
entry_va(const htable_t *ht, uint_t i)
{
	uintptr_t va = ht->ht_vaddr + ((uintptr_t)i << LEVEL_SHIFT(ht->ht_level));

	return (va >= mmu.hole_start ? va | ~(mmu.hole_start - 1) : va);
}

/* Entries from i on that say the same of one frame after the other. */
static uint_t
run_end(const htable_t *ht, uint_t i, uint_t n)
{
	level_t l = ht->ht_level;

	while (i + 1 < n &&
	    (PTE_ISPAGE(entries[i], l) ? entries[i + 1] == entries[i] + LEVEL_SIZE(l) : entries[i + 1] == 0 && entries[i] == 0))
		i++;
	return (i);
}

static void
entries_show(const htable_t *ht, uint_t n)
{
	char text[80], index[12];
	uint_t last;

	for (uint_t i = 0; i < n; i = last + 1) {
		last = run_end(ht, i, n);
		if (entries[i] == 0)
			continue;
		(void)snprintf(index, sizeof(index), i == last ? "%u" : "%u-%u", i, last);
		mon_entry_text(text, sizeof(text), entries[i], ht->ht_level);
		printf("  %8s va 0x%0*lx 0x%0*llx %s\n", index, (int)sizeof(uintptr_t) * 2, entry_va(ht, i), (int)mmu.pte_size * 2,
		    (unsigned long long)entries[i], text);
	}
}

MON_COMMAND(ptable, "ptable", "PFN [LEVEL]", "the entries of the page table in a frame; without LEVEL as a hat knows it")
{
	struct mon_table t;
	bool known = mon_table_in((pfn_t)a->value[0], &t);

	if (!known || a->count > 1)
		t.ht = (htable_t){
			.ht_pfn = (pfn_t)a->value[0], .ht_level = (level_t)a->value[1], .ht_vaddr = known ? t.ht.ht_vaddr : 0
		};
	if (!known && a->count == 1)
		mon_error("frame %s is no page table that a hat knows: give a level to look at it all the same", a->word[0]);
	else if (!read_entries(&t.ht))
		mon_error("frame %s is not in memory", a->word[0]);
	else {
		printf("table in frame 0x%lx, level %d, %s 0x%lx\n", t.ht.ht_pfn, t.ht.ht_level, known ? "htable" : "no htable",
		    (ulong_t)(uintptr_t)t.addr);
		entries_show(&t.ht, HTABLE_NUM_PTES(&t.ht));
	}
}

/* ------------------------------------------------------------------ ::vatopfn */

/* Physical address of the tables of a hat for the independent walker; 0: there is none that an MMU could use. */
static paddr_t
root_of(hat_t *hat)
{
	walk_leaf_t leaf;
	uintptr_t slots = (uintptr_t)hat->hat_vlp_ptes;

	if (hat == CPU->cpu_current_hat)
		return (walk_root());
	if (!(hat->hat_flags & HAT_VLP))
		return (hat->hat_htable == NULL ? 0 : pfn_to_pa(hat->hat_htable->ht_pfn));
	if (walk_top(walk_mode()) != VLP_LEVEL || !walk_lookup(walk_mode(), walk_root(), slots, &leaf))
		return (0);
	return (leaf.wl_pa + (slots - leaf.wl_va));
}

static void
walk_lines(paddr_t root, uintptr_t va)
{
	char text[80];
	x86pte_t e;
	paddr_t where;

	for (level_t l = mmu.max_level; l >= 0; l--) {
		uint_t index =
		    (uint_t)(va >> LEVEL_SHIFT(l)) & ((l == mmu.max_level ? mmu.top_level_count : mmu.ptes_per_table) - 1);

		if (!walk_entry(walk_mode(), root, va, l, &e, &where)) {
			printf("  level %d: this table cannot be read\n", l);
			return;
		}
		mon_entry_text(text, sizeof(text), e, l);
		printf("  level %d table 0x%012llx [%u] 0x%0*llx %s\n", l, (unsigned long long)where - index * mmu.pte_size, index,
		    (int)mmu.pte_size * 2, (unsigned long long)e, text);
		if (!PTE_ISVALID(e) || (kind_of(e, l) & (LEAF | LARGE)))
			return;
	}
}

static pfn_t
walker_says(paddr_t root, uintptr_t va)
{
	walk_leaf_t leaf;

	if (root == 0 || !walk_lookup(walk_mode(), root, va, &leaf))
		return (PFN_INVALID);
	return (pa_to_pfn(leaf.wl_pa + (va - leaf.wl_va)));
}

/* The lowest table that the HAT keeps over the address, found by its base and not by its hash. */
static pfn_t
hat_says(hat_t *hat, uintptr_t va)
{
	struct mon_table t;
	x86pte_t e;

	for (level_t l = 0; l <= mmu.max_page_level; l++) {
		uint_t index = (uint_t)(va >> LEVEL_SHIFT(l)) & (mmu.ptes_per_table - 1);

		if (!mon_table_over(hat, htable_base(hat, va, l), l, &t))
			continue;
		if (!mon_entry(&t.ht, index & (HTABLE_NUM_PTES(&t.ht) - 1), &e) || !PTE_ISPAGE(e, l))
			break;
		printf("  htable 0x%lx level %d [%u]\n", (ulong_t)(uintptr_t)t.addr, l, index);
		return (PTE2PFN(e, l) + ((va & LEVEL_OFFSET(l)) >> PAGESHIFT));
	}
	printf("  no htable maps it\n");
	return (PFN_INVALID);
}

static void
says(const char *who, pfn_t pfn)
{
	if (pfn == PFN_INVALID)
		printf("%s not mapped", who);
	else
		printf("%s frame 0x%lx", who, pfn);
}

MON_COMMAND(vatopfn, "vatopfn", "VA [HAT]", "translate: by walking the raw tables, and by the HAT")
{
	uintptr_t va = (uintptr_t)a->value[0];
	hat_t *hat = mon_hat_arg(a, 1);
	paddr_t root = root_of(hat);
	pfn_t walked, known, asked;
	bool quiet = mon_quiet(false);

	if (IN_VA_HOLE(va)) {
		mon_error("%s is in the hole of the address space: it cannot be mapped", a->word[0]);
		return;
	}
	printf("0x%lx in the %s hat 0x%lx, tables at 0x%012llx\n", va, mon_hat_name(hat), (ulong_t)(uintptr_t)hat,
	    (unsigned long long)root);
	if (root == 0)
		printf("  no MMU can use its tables as they stand: not walked\n");
	else
		walk_lines(root, va);
	if (va >= kernelbase)
		hat = kas_hat;
	walked = walker_says(root, va);
	known = hat_says(hat, va);
	asked = quiet ? hat_getpfnum(hat, va) : known;
	says("  walker:", root == 0 ? known : walked);
	says(", HAT's tables:", known);
	if (quiet)
		says(", hat_getpfnum():", asked);
	printf("%s\n", (root == 0 || walked == known) && asked == known ? "" : ": THEY DISAGREE");
}
