/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Print tables for the host, and the summary that can be laid beside Bochs' `info tab`.
 *
 * A dump tells what the kernel believes, so everything here goes the kernel's own way: htables, x86pte_get() and its
 * relatives. Whether that is true is for others to say (src/check/walk.c, the host's walker, Bochs).
 */
#include <hat/dump_table.h>
#include <hat/htable_impl.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>

#define DUMP_MAXENTRIES 2048 /* of all tables from the top to one page: 4 x 512, or 2 x 1024 */

uint_t dump_lines;
bool dump_aloud;
void (*dump_listener)(char what, hat_t *hat, htable_t *ht);

/* One table of each level at a time. Not on the stack, which a single one would half fill. */
static x86pte_t dump_buffer[DUMP_MAXENTRIES];
static x86pte_t *dump_entries = dump_buffer; /* those of the table that dump_table() prints */

static uint64_t dump_drop;
static uint64_t dump_seen;
TUNABLE_NUMBER(dump_drop, "dump_drop", "damage: leave out the n-th line of all dumps, counted from 1");

static void dump_line(const char *fmt, ...) PRINTFLIKE(1, 2);

/* Does somebody else want to know, who needs no lines? */
static bool
heard(char what, hat_t *hat, htable_t *ht)
{
	if (dump_listener != NULL)
		dump_listener(what, hat, ht);
	return (dump_listener != NULL);
}

static void
dump_line(const char *fmt, ...)
{
	char line[192];
	va_list ap;

	if (++dump_seen == dump_drop)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)(dump_aloud ? printf : record)("%s\n", line);
	dump_lines++;
}

/* The boot mapper's view: a hat made up for the dump, with a top table and no htables below it. */
static bool
is_boot(const hat_t *hat)
{
	return (hat->hat_chains[0].hc_head == NULL);
}

/* ------------------------------------------------------------------ the hat line */

static void
flag_name(char *buf, size_t size, bool set, const char *name)
{
	size_t n = strlen(buf);

	if (set)
		snprintf(buf + n, size - n, "%s%s", n > 0 ? "," : "", name);
}

void
dump_hat_flags(const hat_t *hat, char *buf, size_t size)
{
	buf[0] = '\0';
	flag_name(buf, size, hat->hat_flags & HAT_VLP, "vlp");
	flag_name(buf, size, hat->hat_flags & HAT_SHARED, "shared");
	flag_name(buf, size, hat->hat_flags & HAT_VICTIM, "victim");
	flag_name(buf, size, hat->hat_flags & HAT_FREEING, "freeing");
	if (buf[0] == '\0')
		strlcpy(buf, "-", size);
}

/* The kernel's hat keeps no set of its own: it runs wherever nothing else does. */
static cpuset_t
cpus_running(const hat_t *hat)
{
	cpuset_t set = 0;

	if (is_boot(hat))
		return (CPUSET(0));
	if (hat != kas_hat)
		return (hat->hat_cpus);
	for (int i = 0; i < NCPU; i++)
		if (cpu[i] != NULL && cpu[i]->cpu_online && cpu[i]->cpu_current_hat == hat)
			set |= CPUSET(i);
	return (set);
}

paddr_t
dump_root(hat_t *hat)
{
	uintptr_t va = (uintptr_t)hat->hat_vlp_ptes;

	if (hat->hat_flags & HAT_VLP)
		return (pfn_to_pa(hat_getpfnum(kas_hat, va & PAGEMASK)) + (va & PAGEOFFSET));
	return (hat->hat_htable == NULL ? 0 : pfn_to_pa(hat->hat_htable->ht_pfn));
}

/* ------------------------------------------------------------------ one table */

/*
 * The table is mapped in once for all its entries: on i386 each mapping costs a mutex. A plain copy will do: nobody changes
 * an entry meanwhile but the MMU, and that only sets bits of one byte. Returns
 * how many there are up to the last one that is not 0: without PAE, most of the kernel's tables are empty.
 */
static uint_t
read_entries(htable_t *ht)
{
	uint_t n = HTABLE_NUM_PTES(ht);
	const void *p = x86pte_access_pagetable(ht, 0);

	dump_entries = &dump_buffer[ht->ht_level * mmu.ptes_per_table];
	if (mmu.pae_hat)
		memcpy(dump_entries, p, n * sizeof(x86pte_t));
	for (uint_t i = 0; !mmu.pae_hat && i < n; i++)
		dump_entries[i] = ((const x86pte32_t *)p)[i];
	x86pte_release_pagetable(ht);
	while (n > 0 && dump_entries[n - 1] == 0)
		n--;
	return (n);
}

static bool
is_copy(const htable_t *ht, uint_t entry)
{
	return (ht->ht_hat != kas_hat && !is_boot(ht->ht_hat) && hat_is_copied_slot(ht, entry));
}

static void
ht_line(const htable_t *ht)
{
	char pfn[24] = "-", parent[24] = "-";
	const char *flags = ht->ht_flags & HTABLE_VLP ? "vlp" : ht->ht_flags & HTABLE_SHARED_PFN ? "shared" : "-";

	if (ht->ht_pfn != PFN_INVALID)
		snprintf(pfn, sizeof(pfn), "0x%lx", ht->ht_pfn);
	if (ht->ht_parent != NULL)
		snprintf(parent, sizeof(parent), "0x%016llx", (unsigned long long)(uintptr_t)ht->ht_parent);
	/* Without htables a table is known by its frame. */
	dump_line("  ht 0x%016llx level=%d 0x%016llx-0x%016llx pfn=%s busy=%d valid=%d lock=%u flags=%s parent=%s",
	    is_boot(ht->ht_hat) ? (unsigned long long)pfn_to_pa(ht->ht_pfn) : (unsigned long long)(uintptr_t)ht, ht->ht_level,
	    (unsigned long long)ht->ht_vaddr, (unsigned long long)(HTABLE_LAST_PAGE(ht) + PAGEOFFSET), pfn, ht->ht_busy,
	    ht->ht_valid_cnt, ht->ht_lock_cnt, flags, parent);
}

static paddr_t
leaf_pa(x86pte_t e, level_t l)
{
	return (pfn_to_pa(PTE2PFN(e, l)));
}

static const char *
leaf_size(level_t l)
{
	if (l == 0)
		return ("4K");
	return (l == 2 ? "1G" : mmu.pae_hat ? "2M" : "4M");
}

/* "12" or "12-34". */
static const char *
index_range(char *buf, size_t size, uint_t first, uint_t last)
{
	snprintf(buf, size, first == last ? "%u" : "%u-%u", first, last);
	return (buf);
}

static uint_t
cache_bits(x86pte_t e, level_t l)
{
	bool pat = (e & (l > 0 ? PT_PAT_LARGE : PT_PAT_4K)) != 0;

	return (pat * 4 + ((e & PT_NOCACHE) != 0) * 2 + ((e & PT_WRITETHRU) != 0));
}

static void
leaf_line(const htable_t *ht, uint_t first, uint_t last)
{
	x86pte_t e = dump_entries[first];
	level_t l = ht->ht_level;
	uint64_t va = htable_e2va(ht, first), bytes = (uint64_t)(last - first + 1) << LEVEL_SHIFT(l);
	paddr_t pa = leaf_pa(e, l);
	char range[24];

	dump_line("    leaf %s 0x%016llx-0x%016llx -> 0x%012llx-0x%012llx %s r%c%c%c %c %c%c c%u s%u",
	    index_range(range, sizeof(range), first, last), (unsigned long long)va, (unsigned long long)(va + bytes - 1),
	    (unsigned long long)pa, (unsigned long long)(pa + bytes - 1), leaf_size(l), e & PT_WRITABLE ? 'w' : '-',
	    e & PT_NX ? '-' : 'x', e & PT_USER ? 'u' : 's', e & PT_GLOBAL ? 'g' : '-', e & PT_REF ? 'a' : '-',
	    e & PT_MOD ? 'd' : '-', cache_bits(e, l), (uint_t)((e & PT_SOFTWARE) >> 9));
}

/* A leaf that the words of a `leaf` line describe completely. */
static bool
plain_leaf(x86pte_t e, level_t l)
{
	paddr_t known = PT_PADDR | PT_FLAGBITS | PT_NX;

	return (PTE_ISPAGE(e, l) && l <= mmu.max_page_level && (e & ~known) == 0 && (leaf_pa(e, l) & LEVEL_OFFSET(l)) == 0);
}

static bool
plain_link(x86pte_t e, level_t l)
{
	return (PTE_ISVALID(e) && l > 0 && (e & PT_PAGESIZE) == 0 && (e & ~(PT_PADDR | PT_FLAGBITS)) == 0);
}

/* Last index of the run that starts at `first`: same attributes, and each frame right after the one before. */
static uint_t
leaf_run(const htable_t *ht, uint_t first, uint_t n)
{
	uint_t i = first + 1;

	while (i < n && !is_copy(ht, i) && plain_leaf(dump_entries[i], ht->ht_level) &&
	    dump_entries[i] == dump_entries[i - 1] + LEVEL_SIZE(ht->ht_level))
		i++;
	return (i - 1);
}

static uint_t
copy_run(const htable_t *ht, uint_t first, uint_t n)
{
	uint_t i = first + 1;

	while (i < n && is_copy(ht, i))
		i++;
	return (i - 1);
}

/* The line that starts at index i; returns the first index after it. */
static uint_t
entry_line(const htable_t *ht, uint_t i, uint_t n)
{
	x86pte_t e = dump_entries[i];
	uint_t last = i;
	char range[24];

	if (is_copy(ht, i)) {
		last = copy_run(ht, i, n);
		dump_line("    copy %s", index_range(range, sizeof(range), i, last));
	} else if (plain_leaf(e, ht->ht_level)) {
		last = leaf_run(ht, i, n);
		leaf_line(ht, i, last);
	} else if (plain_link(e, ht->ht_level)) {
		dump_line(
		    "    link %u -> 0x%012llx flags=0x%03x", i, (unsigned long long)(e & PT_PADDR), (uint_t)(e & PT_FLAGBITS));
	} else if (e != 0) {
		dump_line("    odd %u 0x%016llx", i, (unsigned long long)e);
	}
	return (last + 1);
}

void
dump_table(htable_t *ht)
{
	uint_t n;

	if (heard('t', ht->ht_hat, ht))
		return;
	n = read_entries(ht);
	ht_line(ht);
	for (uint_t i = 0; i < n;)
		i = dump_entries[i] == 0 ? i + 1 : entry_line(ht, i, n);
}

/* ------------------------------------------------------------------ merging */

/** The range being merged; bounds are inclusive because the last one may end at the top of the address space. */
static struct {
	bool open;
	uint64_t va, va_last;
	paddr_t pa;
} summary;

static void
range_flush(void)
{
	if (summary.open)
		dump_line("0x%016llx-0x%016llx -> 0x%012llx-0x%012llx", (unsigned long long)summary.va,
		    (unsigned long long)summary.va_last, (unsigned long long)summary.pa,
		    (unsigned long long)(summary.pa + (summary.va_last - summary.va)));
	summary.open = false;
}

void
dump_range_begin(paddr_t root)
{
	summary.open = false;
	dump_line("cr3: 0x%012llx", (unsigned long long)root);
}

void
dump_range_add(uintptr_t va, uintptr_t size, paddr_t pa)
{
	if (!summary.open || va != summary.va_last + 1 || pa != summary.pa + (va - summary.va)) {
		range_flush();
		summary.open = true;
		summary.va = va;
		summary.pa = pa;
	}
	summary.va_last = (uint64_t)va + size - 1;
}

void
dump_range_end(void)
{
	range_flush();
}

/* ------------------------------------------------------------------ all leaves of an address space */

typedef void (*leaf_func_t)(uintptr_t va, level_t level, paddr_t pa);

/* By looking at every chain, not by the hash: a dump should still be readable when the hash is what is broken. */
static htable_t *
find_table(hat_t *hat, uintptr_t base, level_t level)
{
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			if (ht->ht_vaddr == base && ht->ht_level == level)
				return (ht);
	return (NULL);
}

/* The table that a link leads to. What a user table only copies is found in the kernel's hat. */
static bool
find_child(htable_t *ht, uint_t entry, x86pte_t e, htable_t *child)
{
	uintptr_t va = htable_e2va(ht, entry);
	htable_t *found;

	if (is_boot(ht->ht_hat)) {
		htable_t made = {
			.ht_hat = ht->ht_hat, .ht_vaddr = va, .ht_level = ht->ht_level - 1, .ht_pfn = PTE2PFN(e, ht->ht_level)
		};

		*child = made;
		return (true);
	}
	found = find_table(is_copy(ht, entry) ? kas_hat : ht->ht_hat, va, ht->ht_level - 1);
	if (found != NULL)
		*child = *found;
	return (found != NULL);
}

/* Depth first, in order of address, from `from` on. Lower tables have places of their own in the buffer. */
static void
each_leaf(htable_t *ht, uintptr_t from, leaf_func_t fn)
{
	level_t l = ht->ht_level;
	uint_t n = read_entries(ht);
	const x86pte_t *e = dump_entries;

	for (uint_t i = 0; i < n; i++) {
		htable_t child;

		if (!PTE_ISVALID(e[i]) || htable_e2va(ht, i) < from)
			continue;
		if (PTE_ISPAGE(e[i], l))
			fn(htable_e2va(ht, i), l, leaf_pa(e[i], l) & ~(paddr_t)LEVEL_OFFSET(l));
		else if (find_child(ht, i, e[i], &child))
			each_leaf(&child, 0, fn);
	}
}

/* ------------------------------------------------------------------ a hat's first and last lines */

static ulong_t boot_pages[MAX_PAGE_LEVEL + 1];

static void
count_leaf(uintptr_t va, level_t level, paddr_t pa)
{
	(void)va, (void)pa;
	boot_pages[level]++;
}

/* Before adoption nobody keeps the counts, so they are taken now. */
static const volatile ulong_t *
pages_mapped(hat_t *hat)
{
	if (!is_boot(hat))
		return (hat->hat_pages_mapped);
	memset(boot_pages, 0, sizeof(boot_pages));
	each_leaf(hat->hat_htable, 0, count_leaf);
	return (boot_pages);
}

void
dump_hat_begin(hat_t *hat)
{
	const volatile ulong_t *pages;
	char flags[40];

	if (heard('b', hat, NULL))
		return;
	pages = pages_mapped(hat);
	dump_hat_flags(hat, flags, sizeof(flags));
	dump_line("hat 0x%016llx %s flags=%s top=%d pages=%lu,%lu,%lu cpus=0x%lx root=0x%012llx",
	    is_boot(hat) ? 0ull : (unsigned long long)(uintptr_t)hat,
	    is_boot(hat)       ? "boot" :
		hat == kas_hat ? "kernel" :
				 "user",
	    flags, TOP_LEVEL(hat), pages[0], pages[1], pages[2], cpus_running(hat), (unsigned long long)dump_root(hat));
}

static void
range_add_leaf(uintptr_t va, level_t level, paddr_t pa)
{
	dump_range_add(va, LEVEL_SIZE(level), pa);
}

void
dump_hat_end(hat_t *hat)
{
	if (heard('e', hat, NULL))
		return;
	dump_range_begin(dump_root(hat));
	if (hat->hat_htable != NULL)
		each_leaf(hat->hat_htable, 0, range_add_leaf);
	/* The four entries of a VLP hat leave out the kernel where the hardware has a level above them. */
	if ((hat->hat_flags & HAT_VLP) && mmu.max_level > VLP_LEVEL)
		each_leaf(kas_hat->hat_htable, kernelbase, range_add_leaf);
	dump_range_end();
}
