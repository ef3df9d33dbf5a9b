/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Building and letting go, where a mistake costs no page: which source a table is from, what is said before the end, how long
 *        chains are, what the stealer is told, what stays.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <vm/as.h>
#include <vm/page.h>

#define VA    ((uintptr_t)0x40000000)
#define LARGE LEVEL_SIZE(1)
#define OTHER (VA + 8 * LARGE)

static struct as wide;

/* ------------------------------------------------------------------ panics */

/** What fn() works on. */
static struct {
	hat_t *hat;
	level_t level;
	htable_t *source;
} x;

/** It must end in a panic with this text, whole. */
static void PRINTFLIKE(2, 3) expect_panic(void (*fn)(void *), const char *fmt, ...)
{
	char want[160], text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	expect(machine_try(fn, NULL, text, sizeof(text)), "no panic; wanted: %s", want);
	panicstr = NULL;
	expect(strcmp(text, want) == 0, "it says \"%s\"; wanted: %s", text, want);
}

static void
create(void *arg)
{
	(void)arg;
	(void)htable_create(x.hat, VA, x.level, x.source);
}

static void
alloc(void *arg)
{
	(void)arg;
	(void)htable_alloc(x.hat, 0, x.level, NULL);
}

static void
levels(hat_t *hat)
{
	const level_t wrong[] = { -1, -128, TOP_LEVEL(hat) + 1, 127 };

	x.hat = hat;
	x.source = NULL;
	for (uint_t i = 0; i < NELEM(wrong); i++) {
		x.level = wrong[i];
		expect_panic(create, "htable_create: level %d does not exist", wrong[i]);
		expect_panic(alloc, "htable_alloc: level %d does not exist", wrong[i]);
	}
}

/** A source with a table at VA that is not empty; the table is held. */
static htable_t *
new_source(page_t *pp)
{
	hat_t *src = hat_alloc(&wide);

	hat_memload(src, VA, pp, PROT_READ | PROT_USER, HAT_LOAD_SHARE);
	return (htable_lookup(src, VA, 0));
}

static void
free_source(htable_t *source)
{
	hat_t *src = source->ht_hat;

	htable_release(source);
	host_free_space(src);
}

/** A table that shows one source is given to who wants that one, or does not say; not to who wants another. */
static void
sources(page_t *pp)
{
	htable_t *first = new_source(pp), *second = new_source(pp), *ht;
	int32_t up;

	x.hat = hat_alloc(&wide);
	x.level = 0;
	ht = htable_create(x.hat, VA, 0, first);
	htable_release(htable_create(x.hat, VA, 0, first));
	htable_release(htable_create(x.hat, VA, 0, NULL));
	expect(ht->ht_shares == first && ht->ht_busy == 1, "table %p shares from %p, and has %d holds", (void *)ht,
	    (void *)ht->ht_shares, ht->ht_busy);
	x.source = second;
	up = ht->ht_parent->ht_busy;
	expect_panic(create, "htable_create: table %p shares from %p, not from %p", (void *)ht, (void *)first, (void *)second);
	ht->ht_parent->ht_busy = up; /* what was held then is held for ever */
	ht->ht_busy = 1;
	htable_release(ht);
	host_free_space(x.hat);
	free_source(first);
	free_source(second);
}

/* ------------------------------------------------------------------ what a table costs */

static void
nobody(void)
{
}

/** One table, of nobody's tree, on the stack of a hat, and nothing else there. */
static void
stack_one(hat_t *hat)
{
	htable_free(htable_alloc(hat, htable_base(hat, VA, 0), 0, NULL));
	expect(hat->hat_ht_cached != NULL && hat->hat_ht_cached->ht_next == NULL, "not one table is cached");
}

static void
found_one(hat_t *hat, htable_t *source, hat_t *stack)
{
	htable_t *ht = htable_create(hat, OTHER, 0, source), *again;
	uint32_t tables;

	htable_purge_hat(hat);
	htable_keep_none(NULL);
	if (stack != NULL)
		stack_one(stack);
	tables = active_ptables;
	host_before_object = nobody;
	again = htable_create(hat, OTHER, 0, source);
	expect(
	    again == ht && ht->ht_busy == 2, "table %p instead of %p, which has %d holds", (void *)again, (void *)ht, ht->ht_busy);
	expect(host_before_object == nobody && active_ptables == tables, "a table that is there was made once more");
	host_before_object = NULL;
	htable_release(again);
	htable_release(ht);
}

/** A table that is there costs no memory, private or shared, whatever is cached. */
static void
found(page_t *pp)
{
	htable_t *source = new_source(pp);
	hat_t *hat = hat_alloc(&wide), *const stacks[] = { NULL, hat, kas_hat };

	for (uint_t i = 0; i < NELEM(stacks); i++) {
		found_one(hat, NULL, stacks[i]);
		found_one(hat, source, stacks[i]);
	}
	host_free_space(hat);
	free_source(source);
}

static hat_t *racer;

static void
empty_stack(void)
{
	htable_purge_hat(racer);
}

static void
expect_fields(const htable_t *ht, hat_t *hat, uintptr_t base, level_t level)
{
	expect(ht->ht_hat == hat && ht->ht_vaddr == base && ht->ht_level == level && ht->ht_busy == 1 && ht->ht_flags == 0,
	    "a table of level %d at 0x%lx, flags 0x%x, %d holds, instead of level %d at 0x%lx", ht->ht_level, ht->ht_vaddr,
	    ht->ht_flags, ht->ht_busy, level, base);
}

/** The stack has just been emptied: then it is a new table, for the same place. */
static void
stack_raced_empty(hat_t *hat)
{
	uintptr_t base = htable_base(hat, VA, 1);
	htable_t *ht;

	htable_purge_hat(hat);
	stack_one(hat);
	racer = hat;
	host_before_which = &hat->hat_mutex;
	host_before_lock = empty_stack;
	ht = htable_alloc(hat, base, 1, NULL);
	expect(host_before_lock == NULL, "the race did not happen");
	expect_fields(ht, hat, base, 1);
	htable_free(ht);
	htable_purge_hat(hat);
}

/** What is cached comes first, for each level but that of a top table inside the hat. */
static void
stack_first(hat_t *hat)
{
	for (level_t l = 0; l <= TOP_LEVEL(hat); l++) {
		uintptr_t base = htable_base(hat, VA, l);
		htable_t *cached, *ht;

		if ((hat->hat_flags & HAT_VLP) && l == VLP_LEVEL)
			continue;
		htable_purge_hat(hat);
		stack_one(hat);
		cached = hat->hat_ht_cached;
		ht = htable_alloc(hat, base, l, NULL);
		expect(ht == cached, "a table of level %d that was not cached", l);
		expect_fields(ht, hat, base, l);
		htable_free(ht);
	}
}

/* ------------------------------------------------------------------ locks */

static hat_t *first;

static void
list_is_back(void)
{
	kas_hat->hat_next = first;
}

/** The list of address spaces is there only for who has its lock; how many they are is asked when one is not enough. */
static void
list_lock(void)
{
	for (uint_t n = 1; n <= 2; n++) {
		htable_t *got, *next;

		first = kas_hat->hat_next;
		kas_hat->hat_next = (hat_t *)(uintptr_t)PAGESIZE; /* nothing can be read there */
		host_before_which = &hat_list_lock;
		host_before_lock = list_is_back;
		got = htable_steal(n);
		expect(host_before_lock == NULL, "nobody has looked at the list of address spaces");
		for (; got != NULL; got = next) {
			next = got->ht_next;
			htable_free(got);
		}
	}
}

/* ------------------------------------------------------------------ objects */

/** The reserve takes what it lacks and no more; an object in it has no frame. */
static void
objects(hat_t *hat)
{
	uint64_t amount = htable_reserve_amount;
	htable_t *ht = htable_object_get();
	uint_t cnt = htable_reserve_cnt;

	expect(cnt == amount, "%u objects in the reserve", cnt);
	htable_object_put(ht);
	expect(htable_reserve_cnt == cnt, "%u objects in a reserve that had its %u", htable_reserve_cnt, cnt);
	ht = htable_alloc(hat, VA, 0, NULL);
	htable_reserve_amount = cnt + 1;
	htable_dont_cache = 1;
	htable_free(ht);
	htable_dont_cache = 0;
	htable_reserve_amount = amount;
	expect(htable_reserve_cnt == cnt + 1, "%u objects in a reserve that lacked one", htable_reserve_cnt);
	ht = htable_get_reserve();
	expect(ht->ht_pfn == PFN_INVALID, "an object in the reserve has frame 0x%lx", ht->ht_pfn);
	htable_object_put(ht);
}

/* ------------------------------------------------------------------ chains, ranks, what stays */

/** Tables over one address are never together, however many chains there are. */
static void
hashes(hat_t *hat)
{
	for (uintptr_t va = 0; va < 8 * LARGE; va += LARGE)
		for (level_t l = 1; l <= TOP_LEVEL(hat); l++)
			for (level_t m = 0; m < l; m++)
				expect(htable_hash(hat, htable_base(hat, va, l), l) != htable_hash(hat, htable_base(hat, va, m), m),
				    "tables of levels %d and %d over 0x%lx have one hash", m, l, va);
}

/** As long as there is memory, there are as many chains behind a lock as tables. */
static void
chains(void)
{
	hat_t *hat = hat_alloc(&wide);
	htable_t *t[128];

	for (uint_t i = 0; i < NELEM(t); i++)
		t[i] = htable_create(hat, VA + i * LARGE, 0, NULL);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		expect(hat->hat_chains[k].hc_count <= hat->hat_chains[k].hc_mask + 1, "lock %u: %u tables on %u chains", k,
		    hat->hat_chains[k].hc_count, hat->hat_chains[k].hc_mask + 1);
	for (uint_t i = 0; i < NELEM(t); i++)
		htable_release(t[i]);
	host_free_space(hat);
}

/** A table that was empty has a child: no stealer need come for it. */
static void
rank_of_parent(void)
{
	hat_t *hat = hat_alloc(&wide);
	htable_t *up = htable_create(hat, VA, 1, NULL), *ht;

	htable_release(htable_create(hat, VA, 1, NULL));
	if (TOP_LEVEL(hat) > 1)
		expect(up->ht_rank == HTABLE_RANK_EMPTY, "rank %u of an empty table", up->ht_rank);
	ht = htable_create(hat, VA, 0, NULL);
	expect(up->ht_rank == htable_rank_live((uint_t)up->ht_valid_cnt), "rank %u of a table with %d entries", up->ht_rank,
	    up->ht_valid_cnt);
	htable_release(ht);
	htable_release(up);
	host_free_space(hat);
}

/** Empty tables that a large page might need the slot of stay, from the first address of the kernel's on; below it they go (spec 4.5). */
static void
kernels_first(void)
{
	level_t l = mmu.max_page_level;
	uintptr_t below = kernelbase - LEVEL_SIZE(l + 1);

	if (l == mmu.max_level)
		return;
	for (uint_t i = 0; i < 2; i++) {
		uintptr_t va = i ? kernelbase : below;
		htable_t *ht = htable_create(kas_hat, va, l, NULL);
		bool empty = ht->ht_valid_cnt == 0;

		htable_release(ht);
		ht = htable_lookup(kas_hat, va, l);
		expect((ht != NULL) == (i || !empty), "a table of level %d at 0x%lx", l, va);
		htable_release(ht);
	}
}

void
test_build(void)
{
	page_t *pp;
	hat_t *hat;

	host_boot();
	kernels_first();
	pp = page_get(PAGE_USER);
	hat = hat_alloc(&wide);
	levels(hat);
	sources(pp);
	found(pp);
	stack_raced_empty(hat);
	stack_first(hat);
	list_lock();
	objects(hat);
	hashes(hat);
	chains();
	rank_of_parent();
	host_free_space(hat);
	page_free(pp, 1);
	host_sound("at the end");
	printf("build: panics, sources, costs, the reserve, chains, ranks, what stays\n");
}
