/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a dump says of tables that are not as they should be, and of everything that a table can hold.
 */
#include <host/host.h>
#include <host/races.h>
#include <hat/dump_table.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <memmap.h>

#define LARGE  LEVEL_SIZE(1)
#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */
#define ULL    unsigned long long

/* ------------------------------------------------------------------ listening */

static char wanted[200];
static uint_t heard, lines;

static void
listen(const char *line)
{
	lines++;
	for (; *line != '\0'; line++)
		if (strncmp(line, wanted, strlen(wanted)) == 0) {
			heard++;
			return;
		}
}

static void
dump_hat(hat_t *hat)
{
	dump_hat_begin(hat);
	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			dump_table(ht);
	dump_hat_end(hat);
}

/** A dump of the hat has so many lines with this text. */
static void expect_lines(hat_t *hat, uint_t n, const char *fmt, ...) PRINTFLIKE(3, 4);

static void
expect_lines(hat_t *hat, uint_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wanted, sizeof(wanted), fmt, ap);
	va_end(ap);
	heard = 0;
	host_record = listen;
	dump_hat(hat);
	host_record = NULL;
	expect(heard == n, "%u lines of the dump say \"%s\", not %u", heard, wanted, n);
}

/** Whatever can be found of an entry in `ht`, at index i. */
static void
expect_entry(htable_t *ht, uint_t i, x86pte_t pte, const char *kind)
{
	void *p = x86pte_access_pagetable(ht, i);
	x86pte_t was = pte_load(p);

	pte_store(p, pte);
	x86pte_release_pagetable(ht);
	expect_lines(ht->ht_hat, 1, strcmp(kind, "odd") == 0 ? "    odd %u 0x%016llx" : "    link %u -> 0x%012llx", i,
	    strcmp(kind, "odd") == 0 ? (ULL)pte : (ULL)(pte & PT_PADDR));
	pte_store(x86pte_access_pagetable(ht, i), was);
	x86pte_release_pagetable(ht);
}

/* ------------------------------------------------------------------ lines */

/** A line can be left out, so that the comparison is seen to fail; and lines can go to people instead of the host. */
static void
which_lines(void)
{
	char words[40];

	strlcpy(wanted, "cr3: 0x000000001000", sizeof(wanted));
	host_record = listen;
	heard = 0;
	dump_lines = 0;
	dump_range_begin(0x1000);
	expect(heard == 1 && dump_lines == 1, "%u lines of one", heard);
	snprintf(words, sizeof(words), "dump_drop=%u", lines + 1);
	expect(tunables_parse(words), "%s", words);
	dump_range_begin(0x1000);
	expect(heard == 1 && dump_lines == 1, "line %u was not left out", lines + 1);
	dump_range_begin(0x1000);
	expect(heard == 2 && dump_lines == 2, "more than one line was left out");
	dump_aloud = true;
	dump_range_begin(0x1000);
	dump_aloud = false;
	expect(heard == 2 && dump_lines == 3, "a line for people went to the host");
	host_record = NULL;
	(void)tunables_parse("dump_drop=0");
}

/* ------------------------------------------------------------------ hats */

static void
flags(void)
{
	static const struct {
		uint32_t flags;
		const char *text;
	} all[] = {
		{ 0, "-" },
		{ HAT_FREEING, "freeing" },
		{ HAT_VLP | HAT_SHARED | HAT_VICTIM | HAT_FREEING, "vlp,shared,victim,freeing" },
	};
	char text[40];

	for (uint_t i = 0; i < NELEM(all); i++) {
		hat_t hat = { .hat_flags = all[i].flags };

		dump_hat_flags(&hat, text, sizeof(text));
		expect(strcmp(text, all[i].text) == 0, "flags 0x%x: %s", all[i].flags, text);
	}
}

/** Made, and without a table yet. */
static void
bare(void)
{
	hat_t *hat = hat_create_bare(NULL);

	expect_lines(hat, 1, "root=0x000000000000");
	expect_lines(hat, 1, "cr3: 0x000000000000");
	expect_lines(hat, 0, " -> ");
	hat_destroy_bare(hat);
}

/** The kernel's runs where no user's does, on CPUs that are up. */
static void
running(void)
{
	cpuset_t set = 0;

	for (int id = 0; id < ncpus; id++)
		set |= cpu[id]->cpu_current_hat == kas_hat ? CPUSET(id) : 0;
	expect(ncpus == 2 && set == CPUSET(1), "CPUs 0x%lx of %d run the kernel alone", set, ncpus);
	expect_lines(kas_hat, 1, "cpus=0x2 ");
	cpu[1]->cpu_online = 0;
	expect_lines(kas_hat, 1, "cpus=0x0 ");
	cpu[1]->cpu_online = CPU_SCHEDULES;
}

/** Top table inside the hat: the kernel is seen all the same. */
static void
top_inside(void)
{
	hat_t *hat = hat_alloc(&narrow);

	hat_memload(hat, VA, page, RW, HAT_LOAD); /* the leaf's line, and the summary's */
	expect_lines(hat, hat->hat_flags & HAT_VLP ? 1 : 0, "flags=vlp parent=-");
	expect_lines(hat, 2, "0x%016llx-0x%016llx -> 0x%012llx-", (ULL)VA, (ULL)VA + PAGEOFFSET, (ULL)pfn_to_pa(page->p_pagenum));
	expect_lines(hat, 1, "0x%016llx-", (ULL)KERNEL_OFFSET + 0x200000);
	host_unload_user(hat);
	host_free_space(hat);
}

static void
shared_table(void)
{
	hat_t *src = hat_alloc(&wide), *hat = hat_alloc(&wide);

	hat_memload(src, VA, page, RW, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, LARGE, 0);
	expect_lines(hat, 1, "flags=shared parent=");
	expect_lines(src, 0, "flags=shared parent=");
	hat_unshare(hat, VA, LARGE, 0);
	host_free_space(hat);
	hat_unload(src, VA, PAGESIZE, HAT_UNLOAD);
	host_free_space(src);
}

/* ------------------------------------------------------------------ tables */

/** What is neither a page nor a link as they should be is shown as it is. */
static void
odd_entries(hat_t *hat)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL), *up = ht->ht_parent, *top = hat->hat_htable;
	x86pte_t beyond = mmu.pae_hat ? 1ull << 52 : 0; /* a bit that no entry of ours has */

	hat_devload(hat, VA, PAGESIZE, FRAMES, RW, HAT_LOAD);
	hat_devload(hat, VA + 20 * PAGESIZE, PAGESIZE, FRAMES, RW, HAT_LOAD); /* so that all up to here is looked at */
	expect_entry(ht, 9, 0x2, "odd");
	expect_entry(up, 9, MAKEPTP(FRAMES, 0), "link");
	if (mmu.max_page_level >= 1)
		expect_entry(up, 9, MAKEPTE(FRAMES + 2, 1), "odd"); /* not where such a page may be */
	if (mmu.max_page_level < mmu.max_level && mmu.num_level > 2)
		expect_entry(top, 1, PT_VALID | PT_PAGESIZE | (x86pte_t)FRAMES << PAGESHIFT, "odd"); /* no page is so large */
	if (beyond != 0) {
		expect_entry(ht, 9, MAKEPTE(FRAMES, 0) | beyond, "odd");
		expect_entry(up, 9, MAKEPTP(FRAMES, 0) | beyond, "odd");
	}
	hat_unload(hat, VA, 21 * PAGESIZE, HAT_UNLOAD);
	htable_release(ht);
}

/** Pages of all sizes, and one right below the slots that are the kernel's. */
static void
sizes(hat_t *hat)
{
	static const char *const name[] = { "4K", "2M", "1G" };

	for (level_t l = 0; l <= MIN(mmu.umax_page_level, 2); l++) {
		uintptr_t va = userlimit - LEVEL_SIZE(l);

		rob_all();
		hat_devload(hat, va, LEVEL_SIZE(l), FRAMES, RW, HAT_LOAD);
		expect_lines(hat, 1, "0x%016llx-0x%016llx -> 0x%012llx-0x%012llx %s ", (ULL)va, (ULL)userlimit - 1,
		    (ULL)pfn_to_pa(FRAMES), (ULL)pfn_to_pa(FRAMES) + LEVEL_SIZE(l) - 1, l == 1 && !mmu.pae_hat ? "4M" : name[l]);
		hat_unload(hat, va, LEVEL_SIZE(l), HAT_UNLOAD);
	}
}

/** A link to a table that nobody can find: what is below is missing, and the rest is there. */
static void
lost_table(hat_t *hat)
{
	htable_t *ht;
	uint_t h;

	hat_memload(hat, VA, page, RW, HAT_LOAD);
	ht = htable_lookup(hat, VA, 0);
	h = htable_hash(hat, VA & ~(LARGE - 1), 0);
	mutex_enter(htable_lock(hat, h));
	htable_chain_remove(ht, h);
	mutex_exit(htable_lock(hat, h));
	expect_lines(hat, 0, "0x%016llx-0x%016llx -> ", (ULL)VA, (ULL)VA + PAGEOFFSET);
	mutex_enter(htable_lock(hat, h));
	htable_chain_insert(ht, h);
	mutex_exit(htable_lock(hat, h));
	expect_lines(hat, 2, "0x%016llx-0x%016llx -> ", (ULL)VA, (ULL)VA + PAGEOFFSET);
	htable_release(ht);
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

void
dump_run(hat_t *hat)
{
	which_lines();
	flags();
	bare();
	running();
	top_inside();
	shared_table();
	odd_entries(hat);
	sizes(hat);
	lost_table(hat);
}
