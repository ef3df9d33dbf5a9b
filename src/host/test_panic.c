/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Panics that a running kernel cannot have or does not survive: one a run, `--test panic --args panic=NAME`.
 *
 * Each case says, before it goes wrong, what the text must be: whole, with the values as known here. Those of
 * src/check/tests/panics.c are not repeated. Some cannot happen with right units: they need the wrong unit that
 * src/tests/test_panics.py links.
 */
#include <host/host.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <hat/kbm.h>
#include <hat/hat_md.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <memmap.h>

#define VA     ((uintptr_t)0x40000000)
#define RU     (PROT_READ | PROT_USER)
#define ULL    unsigned long long
#define BEYOND pa_to_pfn(HOST_RAM + 0x100000) /**< no page has that frame */

static char want[300];
static char panic_wanted[32];
TUNABLE_STRING(panic_wanted, "panic", "with --test panic: which one; list: say which there are");

/** What the next panic must say; an assertion's text goes on with where it stands. */
static void PRINTFLIKE(1, 2) will_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------ adoption */

/** One object for two tables: the top one, and what its first link leads to. */
static void
attach_reserve(void)
{
	uintptr_t base = 0;
	x86pte_t pte = 0;

	host_boot_tables();
	for (const char *at = machine_phys(pfn_to_pa(md_boot_top()));; at += mmu.pte_size, base += LEVEL_SIZE(mmu.max_level)) {
		memcpy(&pte, at, mmu.pte_size);
		if ((pte & PT_VALID) && !(mmu.max_level == 1 && (pte & PT_PAGESIZE)))
			break;
	}
	htable_reserve_pool->ht_next = NULL;
	htable_reserve_cnt = 1;
	will_say("htable_attach: the reserve is empty, table 0x%lx of level %d", base, mmu.max_level - 1);
	hat_kern_setup();
}

static void
attach_memory(void)
{
	host_boot_tables();
	availrmem = 0;
	will_say("htable_attach: no memory can be reserved for the page table in frame 0x%lx", md_boot_top());
	hat_kern_setup();
}

/** Put an entry into boot's top table, where it has none. @return its index */
static uint_t
plant(x86pte_t pte)
{
	uint_t slot = mmu.max_level == 1 ? 0x100 : mmu.max_level == 2 ? 1 : 200;
	void *at = machine_phys(pfn_to_pa(md_boot_top()) + slot * mmu.pte_size);
	x86pte_t old = 0;

	memcpy(&old, at, mmu.pte_size);
	expect(old == 0, "entry %u of boot's top table is 0x%llx", slot, (ULL)old);
	memcpy(at, &pte, mmu.pte_size);
	return (slot);
}

static void
attach_page(void)
{
	host_boot_tables();
	(void)plant(MAKEPTP(BEYOND, mmu.max_level - 1));
	will_say("htable_attach: the page table in frame 0x%lx has no page", BEYOND);
	hat_kern_setup();
}

/** A link with one of our own bits in it: the MMU does not care (C-29). */
static void
attach_link(void)
{
	x86pte_t good;
	uint_t slot;

	host_boot_tables();
	good = MAKEPTP(BEYOND, mmu.max_level - 1);
	slot = plant(good | PT_NOSYNC);
	will_say("htable_attach: link 0x%llx in entry %u of the table in frame 0x%lx (level %d) should be 0x%llx",
	    (ULL)(good | PT_NOSYNC), slot, md_boot_top(), mmu.max_level, (ULL)good);
	hat_kern_setup();
}

/* ------------------------------------------------------------------ where the kernel's part starts */

static void
boot_with(uintptr_t base, uintptr_t limit)
{
	uintptr_t align = (uintptr_t)(KPM_BASE != 0 ? 1ull << 39 : 1ull << 22);

	kernelbase = base;
	userlimit = limit;
	will_say("hat: kernelbase 0x%lx and userlimit 0x%lx: the one must be 0x%lx, the other a page's address not above it", base,
	    limit, base & ~(align - 1));
	host_boot_tables();
}

static void
base_unaligned(void)
{
	boot_with(KERNELBASE + 0x200000, USERLIMIT);
}
static void
limit_unaligned(void)
{
	boot_with(KERNELBASE, USERLIMIT - 8);
}
static void
limit_above(void)
{
	boot_with(KERNELBASE, USERLIMIT + PAGESIZE);
}

static void
base_in_hole(void)
{
	kernelbase = (uintptr_t)(1ull << 47 << (sizeof(uintptr_t) == 4 ? 17 : 0)); /* nothing on a 32-bit machine */
	will_say("hat_kernelbase: 0x%lx is in the hole", kernelbase);
	host_boot_tables();
}

/* ------------------------------------------------------------------ before the HAT runs */

/** Needs --no-cx8. */
static void
no_cx8(void)
{
	will_say("this CPU has no 8-byte compare-and-exchange (CMPXCHG8B)");
	host_boot_tables();
}

static void
map_twice(void)
{
	host_boot_tables();
	will_say("kbm_map: 0x%lx is mapped already (level 0, entry 0x%llx)", WINDOW_VA(WINDOW_VGA),
	    (ULL)kbm_probe(WINDOW_VA(WINDOW_VGA), NULL));
	kbm_map(WINDOW_VA(WINDOW_VGA), 0x100000, 0);
}

/** Under a large page, which is where the kernel's data are if the CPU has such. */
static void
map_under_large(void)
{
	uintptr_t va = KERNEL_OFFSET + 0x401000;
	level_t level = -1;
	x86pte_t pte;

	host_boot_tables();
	pte = kbm_probe(va, &level);
	will_say("kbm_map: 0x%lx is mapped already (level 1, entry 0x%llx)", va, (ULL)pte);
	kbm_map(va, 0x100000, 0);
}

static void
unmap_nothing(void)
{
	host_boot_tables();
	will_say("boot mapper: 0x%lx is not mapped", VA);
	kbm_unmap(VA);
}

/* ------------------------------------------------------------------ running out */

/** No page, and stealing is not possible before the first user's address space. */
static void
no_table(void)
{
	host_boot();
	page_fail_after = 1;
	will_say("htable_alloc: no page table can be had and none can be stolen yet");
	for (uint_t i = 0; i < 16; i++) /* some that boot has given back are cached */
		(void)htable_create(kas_hat, VA + i * LEVEL_SIZE(1), 0, NULL);
}

/** With --kmem-fail 3: the third request fails, if it is one that may. */
static void
reserve_tables(void)
{
	host_boot();
	can_steal_post_boot = 1;
	use_boot_reserve = 1;
	will_say("htable_initial_reserve: %u objects short", 5 + HTABLE_RESERVE_AMOUNT - 2);
	htable_initial_reserve(5);
}

static void
reserve_records(void)
{
	host_boot();
	can_steal_post_boot = 1;
	will_say("hment_reserve: %u objects short", 7 - 2);
	hment_reserve(7);
}

/* ------------------------------------------------------------------ what would leave a kernel in pieces */

/** A table under a large page, asked for by the upper interface. */
static void
load_under_large(void)
{
	page_t *large, *pp;
	htable_t *ht;
	uint_t slot;
	hat_t *hat;

	host_boot();
	hat = hat_alloc(NULL);
	large = page_get_large(PAGE_USER, LEVEL_SIZE(1) >> PAGESHIFT);
	pp = page_get(PAGE_USER);
	hat_devload(hat, VA, LEVEL_SIZE(1), large->p_pagenum, RU, HAT_LOAD);
	ht = htable_lookup(hat, VA, 1);
	slot = (uint_t)(VA >> LEVEL_SHIFT(1)) & (mmu.ptes_per_table - 1);
	will_say("link_ptp: slot %u of table %p was not empty: 0x%llx", slot, (void *)ht,
	    (ULL)(pfn_to_pa(large->p_pagenum) | PT_VALID | PT_USER | PT_PAGESIZE | mmu.pt_nx));
	hat_memload(hat, VA + 3 * PAGESIZE, pp, RU, HAT_LOAD);
}

/** C-23. */
static void
end_with_shares(void)
{
	htable_t *client, *source;
	hat_t *hat, *src;

	host_boot();
	hat = hat_alloc(NULL);
	src = hat_alloc(NULL);
	hat_memload(src, VA, page_get(PAGE_USER), RU, HAT_LOAD_SHARE);
	(void)hat_share(hat, VA, src, VA, LEVEL_SIZE(1), 0);
	client = htable_lookup(hat, VA, 0);
	source = htable_lookup(src, VA, 0);
	will_say("assertion failed: N3: table %p still shows table %p, ", (void *)client, (void *)source);
	hat_free_start(hat);
	hat_free_end(hat);
}

/* ------------------------------------------------------------------ with a wrong unit */

static hat_t *
user_with_page(page_t **ppp)
{
	host_boot();
	*ppp = page_get(PAGE_USER);
	return (hat_alloc(NULL));
}

/** x86pte_set() says LPAGE_ERROR for level 0, too. */
static void
wrong_set_one(void)
{
	page_t *pp;
	hat_t *hat = user_with_page(&pp);

	will_say("hat_memload: a large page is in the way of 0x%lx", VA);
	hat_memload(hat, VA, pp, RU, HAT_LOAD);
}

static void
wrong_set_array(void)
{
	page_t *pp;
	hat_t *hat = user_with_page(&pp);

	will_say("lpage_load: 0x%lx cannot be mapped at any level", VA);
	hat_memload_array(hat, VA, PAGESIZE, &pp, RU, HAT_LOAD);
}

/** htable_lookup() finds the table of the neighbour. */
static void
wrong_lookup(void)
{
	page_t *pp;
	hat_t *hat = user_with_page(&pp);
	htable_t *ht = htable_create(hat, VA, 0, NULL);

	will_say("hat: table %p of 0x%lx does not cover 0x%lx", (void *)ht, VA, VA + LEVEL_SIZE(1));
	hat_memload(hat, VA + LEVEL_SIZE(1), pp, RU, HAT_LOAD);
}

/* ------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*fn)(void);
	bool wide_only; /**< 64-bit kernel */
} cases[] = {
	{ "attach-reserve", attach_reserve, false },
	{ "attach-memory", attach_memory, false },
	{ "attach-page", attach_page, false },
	{ "attach-link", attach_link, false },
	{ "base-unaligned", base_unaligned, false },
	{ "base-in-hole", base_in_hole, true },
	{ "limit-unaligned", limit_unaligned, false },
	{ "limit-above", limit_above, false },
	{ "no-cx8", no_cx8, false },
	{ "map-twice", map_twice, false },
	{ "map-under-large", map_under_large, false },
	{ "unmap-nothing", unmap_nothing, false },
	{ "no-table", no_table, false },
	{ "reserve-tables", reserve_tables, false },
	{ "reserve-records", reserve_records, false },
	{ "load-under-large", load_under_large, false },
	{ "end-with-shares", end_with_shares, false },
	{ "wrong-set-one", wrong_set_one, false },
	{ "wrong-set-array", wrong_set_array, false },
	{ "wrong-lookup", wrong_lookup, false },
};

static void
run_case(void *arg)
{
	(*(void (*const *)(void))arg)();
}

static bool
list_them(void)
{
	for (uint_t i = 0; i < NELEM(cases); i++)
		if (!cases[i].wide_only || KPM_BASE != 0)
			printf("%s\n", cases[i].name);
	return (true);
}

/** The name, before there is a command line to be parsed: most cases never come that far. */
static bool
is_wanted(const char *name)
{
	const char *s = host_options->cmdline;
	size_t n = strlen(name);

	while (*s != '\0' && strncmp(s, "panic=", 6) != 0)
		s++;
	return (*s != '\0' && strncmp(s + 6, name, n) == 0 && (s[6 + n] == '\0' || s[6 + n] == ' '));
}

void
test_panic(void)
{
	char text[300];
	uint_t i = 0;

	if (is_wanted("list") && list_them())
		return;
	while (i < NELEM(cases) && !is_wanted(cases[i].name))
		i++;
	expect(i < NELEM(cases), "--args panic=NAME: which? (panic=list)");
	expect(machine_try(run_case, (void *)(uintptr_t)&cases[i].fn, text, sizeof(text)), "panic=%s: there was none; wanted: %s",
	    cases[i].name, want);
	expect(strncmp(text, want, strlen(want)) == 0 && (text[strlen(want)] == '\0' || strncmp(text, "assertion", 9) == 0),
	    "panic=%s: it was \"%s\"; wanted: %s", cases[i].name, text, want);
	printf("reached %s: %s\n", cases[i].name, text);
}
