/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The HAT's structures as copies: hats, their tables, what is said about each.
 *
 * The words are those of a dump (docs/protocol.md).
 */
#include <check/peek_phys.h>
#include <hat/dump_table.h>
#include <monitor/monitor_impl.h>
#include <sys/string.h>
#include <vm/page.h>

#define MAXHATS    4096u /* bounds for lists that might have become rings */
#define MAXBUCKETS 65536u
#define MAXCHAIN   65536u

/* ------------------------------------------------------------------ iteration */

bool
mon_each_hat(mon_hat_fn fn, void *arg)
{
	hat_t *h = kas_hat, copy;

	for (uint_t n = 0; h != NULL; n++, h = copy.hat_next) {
		if (n == MAXHATS || !mon_read(h, &copy, sizeof(copy))) {
			mon_error("the list of hats is damaged at 0x%lx", (ulong_t)(uintptr_t)h);
			return (false);
		}
		if (!fn(h, &copy, arg))
			return (false);
	}
	return (true);
}

static bool
each_in_chain(htable_t *p, mon_table_fn fn, void *arg)
{
	htable_t copy;

	for (uint_t n = 0; p != NULL; n++, p = copy.ht_next) {
		if (n == MAXCHAIN || !mon_read(p, &copy, sizeof(copy))) {
			mon_error("a list of tables is damaged at 0x%lx", (ulong_t)(uintptr_t)p);
			return (false);
		}
		if (!fn(p, &copy, arg))
			return (false);
	}
	return (true);
}

bool
mon_each_table(const hat_t *hat, mon_table_fn fn, void *arg)
{
	htable_t *head;

	for (uint_t b = 0; b < MIN(htable_nbuckets(hat), MAXBUCKETS); b++) {
		const struct hat_chains *hc = &hat->hat_chains[b % HAT_NLOCKS];

		if (b / HAT_NLOCKS > hc->hc_mask)
			continue;
		if (!mon_read(&hc->hc_head[b / HAT_NLOCKS], &head, sizeof(head))) {
			mon_error("the array of chains at 0x%lx cannot be read", (ulong_t)(uintptr_t)hc->hc_head);
			return (false);
		}
		if (!each_in_chain(head, fn, arg))
			return (false);
	}
	return (true);
}

/** Only the tables of one level. */
struct one_level {
	level_t level;
	mon_table_fn fn;
	void *arg;
};

static bool
if_level(htable_t *addr, const htable_t *ht, void *arg)
{
	const struct one_level *o = arg;

	return (ht->ht_level != o->level || o->fn(addr, ht, o->arg));
}

/* From the top down: parents before their children. */
static bool
each_by_level(const hat_t *hat, mon_table_fn fn, void *arg)
{
	struct one_level o = { MAX_NUM_LEVEL, fn, arg };

	while (o.level-- > 0)
		if (!mon_each_table(hat, if_level, &o))
			return (false);
	return (true);
}

/* ------------------------------------------------------------------ searching */

/** What is searched for; the address or frame that is not wanted is NULL or PFN_INVALID. */
struct search {
	const htable_t *addr;
	pfn_t pfn;
	uintptr_t base;
	int level; /**< -1: base and level are not wanted */
	struct mon_table *found;
};

static bool
search_table(htable_t *addr, const htable_t *ht, void *arg)
{
	struct search *s = arg;

	if (addr != s->addr && (s->pfn == PFN_INVALID || ht->ht_pfn != s->pfn) &&
	    (s->level != ht->ht_level || ht->ht_vaddr != s->base))
		return (true);
	s->found->addr = addr;
	s->found->ht = *ht;
	return (false);
}

static bool
search_hat(hat_t *addr, const hat_t *hat, void *arg)
{
	(void)addr;
	return (mon_each_table(hat, search_table, arg));
}

bool
mon_table_over(hat_t *hat, uintptr_t base, level_t level, struct mon_table *t)
{
	struct search s = { NULL, PFN_INVALID, base, level, t };
	hat_t copy;

	t->addr = NULL;
	if (mon_read(hat, &copy, sizeof(copy)))
		(void)mon_each_table(&copy, search_table, &s);
	return (t->addr != NULL);
}

bool
mon_table_at(const htable_t *addr, struct mon_table *t)
{
	struct search s = { addr, PFN_INVALID, 0, -1, t };

	t->addr = NULL;
	(void)mon_each_hat(search_hat, &s);
	return (t->addr != NULL);
}

bool
mon_table_in(pfn_t pfn, struct mon_table *t)
{
	struct search s = { NULL, pfn, 0, -1, t };

	t->addr = NULL;
	(void)mon_each_hat(search_hat, &s);
	return (t->addr != NULL);
}

static bool
other_hat(hat_t *addr, const hat_t *hat, void *arg)
{
	(void)hat;
	return (addr != arg);
}

bool
mon_is_hat(const hat_t *hat)
{
	return (hat != NULL && !mon_each_hat(other_hat, (void *)(uintptr_t)hat));
}

hat_t *
mon_hat_arg(const struct mon_args *a, int i)
{
	hat_t *hat = (hat_t *)(uintptr_t)a->value[i];

	if (i >= a->count)
		hat = CPU->cpu_current_hat;
	return (hat != NULL ? hat : kas_hat);
}

const char *
mon_hat_name(const hat_t *hat)
{
	return (hat == kas_hat ? "kernel" : "user");
}

/* ------------------------------------------------------------------ hats and tables */

static bool
count(htable_t *addr, const htable_t *ht, void *arg)
{
	(void)addr, (void)ht;
	++*(uint_t *)arg;
	return (true);
}

static bool
hat_line(hat_t *addr, const hat_t *hat, void *arg)
{
	uint_t linked = 0, cached = 0;
	char flags[40];

	dump_hat_flags(hat, flags, sizeof(flags));
	if (!mon_each_table(hat, count, &linked) || !each_in_chain(hat->hat_ht_cached, count, &cached))
		return (false);
	printf("  hat 0x%lx %s flags=%s top=%d pages=%lu,%lu,%lu shared=%lu tables=%u cached=%u cpus=0x%lx\n",
	    (ulong_t)(uintptr_t)addr, mon_hat_name(addr), flags, TOP_LEVEL(hat), hat->hat_pages_mapped[0], hat->hat_pages_mapped[1],
	    hat->hat_pages_mapped[2], hat->hat_ism_pgcnt, linked, cached, addr == kas_hat ? khat_cpuset : hat->hat_cpus);
	++*(uint_t *)arg;
	return (true);
}

MON_COMMAND(hats, "hats", "", "address spaces")
{
	uint_t n = 0;

	(void)a;
	if (mon_each_hat(hat_line, &n))
		printf("%u hats\n", n);
}

static bool
table_line(htable_t *addr, const htable_t *ht, void *arg)
{
	char pfn[24] = "-";

	if (ht->ht_pfn != PFN_INVALID)
		(void)snprintf(pfn, sizeof(pfn), "0x%lx", ht->ht_pfn);
	printf("  ht 0x%lx level=%d base=0x%lx pfn=%s busy=%d valid=%d lock=%u flags=%s parent=0x%lx\n", (ulong_t)(uintptr_t)addr,
	    ht->ht_level, ht->ht_vaddr, pfn, ht->ht_busy, ht->ht_valid_cnt, ht->ht_lock_cnt,
	    ht->ht_flags & HTABLE_VLP            ? "vlp" :
		ht->ht_flags & HTABLE_SHARED_PFN ? "shared" :
						   "-",
	    (ulong_t)(uintptr_t)ht->ht_parent);
	++*(uint_t *)arg;
	return (true);
}

MON_COMMAND(htables, "htables", "[HAT]", "page tables of an address space (default: the running one)")
{
	hat_t *hat = mon_hat_arg(a, 0), copy;
	uint_t n = 0;

	if (!mon_read(hat, &copy, sizeof(copy)))
		mon_error("the hat at 0x%lx cannot be read", (ulong_t)(uintptr_t)hat);
	else if (each_by_level(&copy, table_line, &n))
		printf("%u tables of the %s hat 0x%lx\n", n, mon_hat_name(hat), (ulong_t)(uintptr_t)hat);
}

MON_COMMAND(htable, "htable", "ADDR", "one page table's object")
{
	struct mon_table t;
	uint_t n = 0;

	if (!mon_table_at((htable_t *)(uintptr_t)a->value[0], &t)) {
		mon_error("%s is no linked htable: see ::htables", a->word[0]);
		return;
	}
	(void)table_line(t.addr, &t.ht, &n);
	printf("    hat=0x%lx (%s) next=0x%lx prev=0x%lx shares=0x%lx permanent=%u\n", (ulong_t)(uintptr_t)t.ht.ht_hat,
	    mon_hat_name(t.ht.ht_hat), (ulong_t)(uintptr_t)t.ht.ht_next, (ulong_t)(uintptr_t)t.ht.ht_prev,
	    (ulong_t)(uintptr_t)t.ht.ht_shares, t.ht.ht_permanent);
}

/* ------------------------------------------------------------------ counters */

MON_COMMAND(hatstat, "hatstat", "", "counters of the HAT (DEBUG kernels)")
{
	static const char *const name[] = { "reap_attempts", "reaped", "steals", "ptable_allocs", "ptable_frees", "htable_rgets",
		"htable_rputs", "htable_shared", "htable_unshared", "adopted", "tlb_inval_delayed" };
	const volatile ulong_t *value = &hatstat.hs_reap_attempts;

	(void)a;
	for (uint_t i = 0; i < MIN(NELEM(name), sizeof(hatstat) / sizeof(ulong_t)); i++)
		printf("  hs_%-18s %lu\n", name[i], value[i]);
}

MON_COMMAND(reserve, "reserve", "", "what the HAT has put aside, and how much memory there is")
{
	uint_t n = 0;

	(void)a;
	if (!each_in_chain(htable_reserve_pool, count, &n))
		return;
	printf("  htable_reserve_cnt %u (%u in the pool), htable_reserve_amount %llu\n", htable_reserve_cnt, n,
	    (unsigned long long)htable_reserve_amount);
	printf("  active_ptables %u, htable_dont_cache %u, use_boot_reserve %llu, can_steal_post_boot %llu\n", active_ptables,
	    htable_dont_cache, (unsigned long long)use_boot_reserve, (unsigned long long)can_steal_post_boot);
	printf("  freemem %lu, throttlefree %lu, availrmem %lu, physmem %lu\n", freemem, throttlefree, availrmem, physmem);
}

/* ------------------------------------------------------------------ dumps */

static bool
dump_one_table(htable_t *addr, const htable_t *ht, void *arg)
{
	(void)ht, (void)arg;
	dump_table(addr);
	return (true);
}

static bool
dump_hat(hat_t *addr, const hat_t *hat, void *arg)
{
	if (arg != NULL && arg != addr)
		return (true);
	dump_hat_begin(addr);
	(void)each_by_level(hat, dump_one_table, NULL);
	dump_hat_end(addr);
	return (true);
}

MON_COMMAND(dump, "dump", "[HAT]", "all entries of one hat or all, as at a checkpoint")
{
	if (!mon_quiet(true))
		return;
	dump_aloud = true;
	(void)mon_each_hat(dump_hat, a->count > 0 ? mon_hat_arg(a, 0) : NULL);
	dump_aloud = false;
}
