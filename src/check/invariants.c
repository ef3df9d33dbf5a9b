/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The list of invariants and the order in which they are judged.
 *
 * docs/invariants.md says for each one where it comes from and which damage proves that it is looked at.
 */
#include <check/invariants.h>
#include <check/inv_impl.h>
#include <sys/printf.h>
#include <sys/string.h>

#define INV_SAY 3 /**< of one invariant, so many violations are told; all are counted */

#define INV_SLACK 64 /**< tables that may appear while the checker's own memory is made */

const struct invariant invariants[] = {
	{ "S1", "the number of chains is a power of two, at least 16, and there is an array of them", .hat = inv_S1 },
	{ "S2", "each chain is finite and doubly linked", .all = inv_S2 },
	{ "S3", "a table is on the chain that its hash names, in its own hat", .table = inv_S3 },
	{ "S4", "no table is in two places among chains, cached stacks and the reserve", .all = inv_S4 },
	{ "S5", "no two linked tables have the same hat, base and level", .table = inv_S5 },
	{ "S6", "levels are in range; only the top table has no parent", .table = inv_S6 },
	{ "S6", "a hat has one top table, the one it names, with base 0", .hat = inv_S6_top },
	{ "S7", "a base is aligned to what the table covers", .table = inv_S7 },
	{ "S8", "a parent is linked in the same hat, one level up, and covers its child", .table = inv_S8 },
	{ "S9", "no base lies in the hole, nor, in user hats, in the kernel", .table = inv_S9 },
	{ "S10", "flags are known and not both set; VLP means top table of a VLP hat", .table = inv_S10 },
	{ "S11", "a shared table names a linked source of the same level and frame in a shared hat", .table = inv_S11 },
	{ "S12", "the list of hats is doubly linked and ends at the kernel's hat", .all = inv_S12 },
	{ "S13", "no hat is a victim, caching is on, no lock is held", .all = inv_S13 },
	{ "S14", "a CPU runs the kernel's hat or one on the list", .all = inv_S14 },
	{ "L1", "the parent's slot is our link, bit for bit", .table = inv_L1 },
	{ "L2", "each link leads to exactly one linked child", .entry = inv_L2 },
	{ "L3", "leaves only where the level allows them", .entry = inv_L3 },
	{ "L4", "an entry that is not valid is 0", .entry = inv_L4 },
	{ "L5", "copied slots are the kernel's", .table = inv_L5 },
	{ "L6", "under each slot of a kernel range there is a table or a large leaf", .all = inv_L6 },
	{ "L7", "no table lies under a leaf", .entry = inv_L7 },
	{ "L8", "a leaf's frame is aligned to its size", .entry = inv_L8 },
	{ "L9", "htable_e2va() and htable_va2entry() are inverse", .table = inv_L9 },
	{ "N1", "ht_valid_cnt is the number of valid entries", .table = inv_N1 },
	{ "N2", "a shared table counts between 1 and all of its entries", .table = inv_N2 },
	{ "N3", "ht_busy is children + sharers + permanent holds", .table = inv_N3 },
	{ "N4", "adopted tables up to the end of memory have a permanent hold", .table = inv_N4 },
	{ "N5", "counts are not negative and far from overflow", .table = inv_N5 },
	{ "N6", "no locks in the kernel's tables, in shared ones, in those without leaves", .table = inv_N6 },
	{ "N7", "children are as many as links", .table = inv_N7 },
	{ "N8", "an empty table is one that is worth keeping", .table = inv_N8 },
	{ "N9", "hat_pages_mapped counts the leaves of each level", .hat = inv_N9 },
	{ "N10", "hat_ism_pgcnt counts pages seen through shared tables", .hat = inv_N10 },
	{ "N11", "N9 holds for the kernel when boot's tables have been adopted, and when boot's mappings have been cleared",
	    .all = inv_N11 },
	{ "N12", "htable_reserve_cnt is the length of the reserve", .all = inv_N12 },
	{ "N13", "active_ptables counts the frames of tables", .all = inv_N13 },
	{ "N14", "each object from the cache is linked, cached or in the reserve", .all = inv_N14 },
	{ "N15", "the statistics of sharing agree with the shared tables", .all = inv_N15 },
	{ "N16", "valid entries lie in groups whose bit is set", .entry = inv_N16 },
	{ "F1", "a table that is not VLP has a frame that exists", .table = inv_F1 },
	{ "F2", "no two tables have the same frame", .all = inv_F2 },
	{ "F3", "frames of tables are not free and locked shared", .all = inv_F3 },
	{ "F4", "no user leaf maps a page table, and no kernel leaf where it need not", .entry = inv_F4 },
	{ "F5", "a cached table is clean and its frame all zero", .all = inv_F5 },
	{ "F6", "an object in the reserve has no frame and no hat", .all = inv_F6 },
	{ "F7", "no recorded leaf maps a free page", .entry = inv_F7 },
	{ "E1", "reserved bits are 0; NX and GLOBAL only where they mean something", .entry = inv_E1 },
	{ "E2", "kernel leaves are not USER, user leaves not GLOBAL", .entry = inv_E2 },
	{ "E3", "leaves whose accessed and dirty bits nobody collects have them set", .entry = inv_E3 },
	{ "E4", "a leaf that should be recorded is on its page's list exactly once", .entry = inv_E4 },
	{ "E5", "each record of a page is a leaf that maps it", .all = inv_E5 },
	{ "E6", "one mapping is embedded, several are a linked and hashed list of p_share records", .all = inv_E6 },
	{ "E7", "a page without mappings has no trace of one", .all = inv_E7 },
	{ "P1", "hat_cpus has the bits of the CPUs that run the hat", .all = inv_P1 },
	{ "P2", "CR3 holds the tables of the current hat", .all = inv_P2 },
	{ "P3", "a CPU that runs a VLP hat has its four entries", .all = inv_P3 },
	{ "P4", "page windows are idle and well formed", .all = inv_P4 },
	{ "P6", "khat_cpuset has the bits of the CPUs that are online", .all = inv_P6 },
};

/* ------------------------------------------------------------------ telling */

static uint_t said[NELEM(invariants)]; /* times each has been reported */

static void
begin(const struct invariant *i)
{
	inv.judging = i;
}

void
inv_report(const inv_hat_t *h, const inv_table_t *t, uint64_t want, uint64_t have, const char *fmt, ...)
{
	char text[128], table[64] = "-";
	va_list ap;

	inv.violations++;
	if (said[inv.judging - invariants]++ >= INV_SAY)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t != NULL)
		snprintf(
		    table, sizeof(table), "0x%lx/%d/0x%lx", (ulong_t)t->it_addr, t->it_ht.ht_level, (ulong_t)t->it_ht.ht_vaddr);
	if (h == NULL && t != NULL)
		h = t->it_hat;
	record("%%invariant id=%s hat=0x%lx table=%s want=0x%llx have=0x%llx text=%s\n", inv.judging->id,
	    h == NULL ? 0ul : (ulong_t)h->ih_addr, table, (unsigned long long)want, (unsigned long long)have, text);
	printf("invariant %s broken: %s (table %s): have 0x%llx, want 0x%llx\n", inv.judging->id, text, table,
	    (unsigned long long)have, (unsigned long long)want);
}

void
inv_report_faults(const char *id)
{
	for (uint_t i = 0; i < inv.nfaults; i++) {
		const inv_fault_t *f = &inv.faults[i];

		if (strcmp(f->if_id, id) == 0)
			inv_report(f->if_hat, NULL, f->if_want, f->if_have, "%s", f->if_text);
	}
}

/* ------------------------------------------------------------------ the pass over all entries */

static void
count_entry(inv_table_t *t, x86pte_t e)
{
	level_t l = t->it_ht.ht_level;

	if (!PTE_ISVALID(e))
		return;
	t->it_valid++;
	if (!inv_leaf(t, e))
		t->it_links++;
	else if (l <= MAX_PAGE_LEVEL && !(t->it_ht.ht_flags & HTABLE_SHARED_PFN))
		t->it_hat->ih_leaves[l]++;
}

/* Those invariants that judge single entries; there are a thousand entries for each table. */
static const struct invariant *of_entries[NELEM(invariants) + 1];

static void
find_entry_invariants(void)
{
	uint_t n = 0;

	for (uint_t i = 0; i < NELEM(invariants); i++)
		if (invariants[i].entry != NULL)
			of_entries[n++] = &invariants[i];
}

static void
judge_entry(inv_table_t *t, uint_t i, x86pte_t e)
{
	count_entry(t, e);
	for (const struct invariant **v = of_entries; *v != NULL; v++) {
		begin(*v);
		(*v)->entry(t, i, e);
	}
}

/* Tables whose level makes no sense are S6's, and nobody else looks at them. */
static bool
level_ok(const inv_table_t *t)
{
	return (t->it_ht.ht_level >= 0 && t->it_ht.ht_level <= mmu.max_level);
}

/* Can there be a slot in it that is not judged? Few tables have one. */
static bool
has_exempt(const inv_table_t *t)
{
	return (inv_may_copy(t) || (t->it_hat->ih_kernel && t->it_ht.ht_level == 0));
}

/* Once over all entries of all tables; most are 0. */
static void
judge_entries(const hat_t *only)
{
	inv_for_linked(t)
	{
		static x86pte_t entries[INV_MAXENTRIES];
		uint_t n = inv_nentries(t);
		bool zero = true, exempt = has_exempt(t);

		if (!level_ok(t) || (only != NULL && t->it_hat->ih_addr != only))
			continue;
		t->it_readable = inv_read_into(t, entries, &zero);
		for (uint_t i = 0; t->it_readable && !zero && i < n; i++)
			if (entries[i] != 0 && !(exempt && (inv_copied(t, i) || inv_private(t, i))))
				judge_entry(t, i, entries[i]);
	}
}

/* ------------------------------------------------------------------ judging */

static void
judge_hats(const struct invariant *i, const hat_t *only)
{
	for (uint_t k = 0; k < inv.nhats; k++)
		if (only == NULL || inv.hats[k].ih_addr == only)
			i->hat(&inv.hats[k]);
}

static void
judge_tables(const struct invariant *i, const hat_t *only)
{
	inv_for_linked(t) if ((level_ok(t) || i->table == inv_S6) && (only == NULL || t->it_hat->ih_addr == only)) i->table(t);
}

static void
judge(const struct invariant *i, const hat_t *only)
{
	begin(i);
	if (i->table != NULL)
		judge_tables(i, only);
	else if (i->hat != NULL)
		judge_hats(i, only);
	else if (i->all != NULL && only == NULL)
		i->all();
}

bool
invariants_ready(void)
{
	return (inv.hats != NULL && kmem_cache_inuse(htable_cache) + INV_SLACK <= inv.maxtables);
}

/* Memory first, snapshot afterwards: making room may itself make tables. */
static void
make_room(void)
{
	uint_t need = kmem_cache_inuse(htable_cache) + INV_SLACK;

	if (inv.hats == NULL)
		inv.hats = kmem_alloc(INV_MAXHATS * sizeof(inv_hat_t), KM_SLEEP);
	if (need <= inv.maxtables)
		return;
	if (inv.maxtables != 0) {
		kmem_free(inv.tables, inv.maxtables * sizeof(inv_table_t));
		kmem_free(inv.words, inv.maxwords * sizeof(uintptr_t));
	}
	need += INV_SLACK;
	inv.tables = kmem_alloc(need * sizeof(inv_table_t), KM_SLEEP);
	inv.words = kmem_alloc(2 * need * sizeof(uintptr_t), KM_SLEEP);
	inv.maxtables = need;
	inv.maxwords = 2 * need;
}

void
invariants_init(void)
{
	make_room();
}

static uint_t
judge_all(const hat_t *only)
{
	make_room();
	inv.violations = 0;
	if (!inv_collect()) {
		printf("invariants: the kernel's hat at 0x%lx cannot be read\n", (ulong_t)kas_hat);
		return (1);
	}
	memset(said, 0, sizeof(said));
	find_entry_invariants();
	judge_entries(only);
	for (const struct invariant *i = invariants; i < invariants + NELEM(invariants); i++)
		judge(i, only);
	return (inv.violations);
}

uint_t
check_invariants(void)
{
	return (judge_all(NULL));
}

void
invariants_at_panic(void)
{
	if (khat_running && invariants_ready())
		printf("invariants at the panic: %u broken, what was being changed included\n", check_invariants());
}

uint_t
check_invariants_hat(hat_t *hat)
{
	return (judge_all(hat));
}
