/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of address spaces whose top table is kept inside the hat, while another CPU runs them.
 *
 * The other CPU holds still in the address space and reads what it is told to: it must see each change at once, without
 * switching away and back. With one CPU the checking thread runs the address space itself.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <hat/htable_impl.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define FIRST    ((uintptr_t)0x00401000)
#define OTHER    ((uintptr_t)0x20402000) /* the same gigabyte */
#define FAR      ((uintptr_t)0x3ff03000) /* its end */
#define PROT     (PROT_READ | PROT_WRITE | PROT_USER)
#define FOUR_GIB (1ull << 32)

static struct as narrow = { .a_32bit = true };

/** The reader on the other CPU: does one read each time `wanted` is raised, until it is told to stop. */
static struct {
	hat_t *hat;
	kthread_t *thread; /**< NULL: one CPU, this thread reads */
	volatile uint_t wanted, done;
	volatile bool stop;
	volatile uintptr_t va;
	volatile uint32_t word;
	volatile bool ok;
} peer;

static void
read_word(void)
{
	uint32_t word = 0;

	peer.ok = peek((const void *)peer.va, &word, sizeof(word));
	peer.word = word;
}

/* Preemption is off: whoever switches away and back gets fresh tables, and would notice nothing. */
static void
peer_main(void *arg)
{
	(void)arg;
	hat_setup(peer.hat);
	kpreempt_disable();
	peer.done = 1;
	while (!peer.stop) {
		if (peer.wanted != peer.done) {
			read_word();
			peer.done = peer.wanted;
		}
		pause();
	}
	kpreempt_enable();
	hat_setup(NULL);
}

static void
peer_start(hat_t *hat)
{
	peer.hat = hat;
	peer.thread = NULL;
	peer.wanted = 1;
	peer.done = 0;
	peer.stop = false;
	if (ncpus < 2) {
		hat_setup(hat);
		return;
	}
	peer.thread = thread_create_on(cpu[1], "peer", peer_main, NULL);
	while (peer.done == 0)
		thread_yield();
}

static void
peer_stop(void)
{
	peer.stop = true;
	if (peer.thread == NULL)
		hat_setup(NULL);
	else
		thread_join(peer.thread);
}

/** What the other CPU reads at va; false: it faults. */
static bool
peer_read(uintptr_t va, uint32_t *word)
{
	peer.va = va;
	if (peer.thread == NULL) {
		read_word();
	} else {
		peer.wanted++;
		while (peer.done != peer.wanted)
			thread_yield();
	}
	*word = peer.word;
	return (peer.ok);
}

/** End the check, but let the other CPU go first. */
#define peer_true(cond, ...) \
	do { \
		if (!(cond)) { \
			peer_stop(); \
			check_wrong(__FILE__, __LINE__, __VA_ARGS__); \
		} \
	} while (0)

static void
map(hat_t *hat, uintptr_t va)
{
	page_t *pp = page_get(PAGE_USER);

	check_true(pp != NULL, "no page left");
	hat_memload(hat, va, pp, PROT, HAT_LOAD);
}

static void
unmap(hat_t *hat, uintptr_t va)
{
	page_t *pp = page_numtopp_nolock(hat_getpfnum(hat, va));

	hat_unload(hat, va, PAGESIZE, HAT_UNLOAD);
	page_free(pp, 0);
}

/* The entry over an address in the top table, and in what the other CPU's MMU uses instead of it. */
static x86pte_t
used_slot(hat_t *hat, uintptr_t va, bool cpu_side)
{
	const cpu_t *c = cpu[ncpus < 2 ? 0 : 1];
	uint_t i = htable_va2entry(va, hat->hat_htable);

	if (cpu_side && (hat->hat_flags & HAT_VLP))
		return (pte_load(&c->cpu_hat_info->hci_vlp_slots[i]));
	return (x86pte_get(hat->hat_htable, i));
}

/* A level-1 table comes and goes while the hat runs: DEMAP_ALL_ADDR makes the CPU that runs it read the top again. */
CHECK(vlp_running, "vlp-running", NULL, 0, 0, NULL, 0)
{
	hat_t *h = hat_alloc(&narrow);
	uintptr_t first = FIRST;
	uint32_t word;

	(void)hat;
	peer_start(h);
	peer_true(!peer_read(first, &word), "0x%lx can be read before it is mapped", (ulong_t)first);
	map(h, first);
	peer_true(used_slot(h, first, true) == used_slot(h, first, false), "the CPU that runs it has entry 0x%llx, the hat 0x%llx",
	    (unsigned long long)used_slot(h, first, true), (unsigned long long)used_slot(h, first, false));
	peer_true(peer_read(first, &word), "0x%lx cannot be read although it is mapped", (ulong_t)first);
	peer_true(check_invariants() == 0, "invariants while it runs");
	unmap(h, first);
	peer_true(used_slot(h, first, true) == used_slot(h, first, false),
	    "unlinked: the CPU that runs it has entry 0x%llx, the hat 0x%llx", (unsigned long long)used_slot(h, first, true),
	    (unsigned long long)used_slot(h, first, false));
	peer_true(!peer_read(first, &word), "0x%lx can be read after it was unmapped", (ulong_t)first);
	check_note("the top entry over an empty gigabyte: 0x%llx", (unsigned long long)used_slot(h, first, false));
	peer_stop();
	hat_free_start(h);
	hat_free_end(h);
}

static bool
walk_finds(hat_t *hat, const uintptr_t *va, uint_t n, uintptr_t end)
{
	htable_t *ht = NULL;
	uintptr_t at = 0;

	for (uint_t i = 0; i < n; i++, at += PAGESIZE)
		if (htable_walk(hat, &ht, &at, end) == 0 || at != va[i]) {
			htable_release(ht);
			return (false);
		}
	if (htable_walk(hat, &ht, &at, end) == 0)
		return (true);
	htable_release(ht);
	return (false);
}

static void
map_above(void *hat)
{
	page_t *pp = page_numtopp_nolock(hat_getpfnum(hat, FIRST));

	hat_memload(hat, (uintptr_t)FOUR_GIB, pp, PROT, HAT_LOAD);
}

/* An address is one of 4 GiB, or there is nothing: the array's index must not wrap. */
CHECK(vlp_ends, "vlp-ends", NULL, 0, 0, NULL, 0)
{
	static const uintptr_t va[] = { FIRST, OTHER, FAR, 0xfffff000 };
	hat_t *h;
	char text[160];

	(void)hat;
	if (sizeof(uintptr_t) < sizeof(uint64_t))
		return;
	h = hat_alloc(&narrow);
	for (uint_t i = 0; i < NELEM(va); i++)
		map(h, va[i]);
	for (uint_t i = 0; i < NELEM(va); i++) {
		uintptr_t above = va[i] + (uintptr_t)FOUR_GIB;

		for (level_t l = 0; l <= TOP_LEVEL(h); l++)
			check_true(htable_lookup(h, above, l) == NULL, "a table of level %d over 0x%lx", l, (ulong_t)above);
		check_eq(hat_getpfnum(h, above), PFN_INVALID, "frame above 4 GiB");
		check_true(hat_getpfnum(h, va[i]) != PFN_INVALID, "no frame at 0x%lx", (ulong_t)va[i]);
	}
	check_true(walk_finds(h, va, NELEM(va), HTABLE_WALK_TO_END), "a walk to the end finds other pages");
	check_true(walk_finds(h, va, NELEM(va), userlimit), "a walk to userlimit finds other pages");
#ifdef DEBUG
	check_true(check_panics(map_above, h, text, sizeof(text)), "a page at 4 GiB was mapped");
	check_note("the assertion: %s", text);
#else
	(void)map_above, (void)text;
#endif
	for (uint_t i = 0; i < NELEM(va); i++)
		unmap(h, va[i]);
	hat_free_start(h);
	hat_free_end(h);
}

static void
leaves_of(struct as *as, uint_t level, ulong_t want)
{
	hat_t *h = hat_alloc(as);
	uintptr_t va = LEVEL_SIZE(VLP_LEVEL);

	hat_devload(h, va, LEVEL_SIZE(VLP_LEVEL), va >> PAGESHIFT, PROT, HAT_LOAD | HAT_LOAD_NOCONSIST);
	check_eq(h->hat_pages_mapped[level], want, "leaves for a gigabyte");
	check_eq(hat_getpfnum(h, va + 5 * PAGESIZE), (va >> PAGESHIFT) + 5, "its sixth frame");
	check_true(check_invariants() == 0, "invariants");
	hat_unload(h, va, LEVEL_SIZE(VLP_LEVEL), HAT_UNLOAD);
	check_eq(h->hat_pages_mapped[level], 0, "leaves afterwards");
	hat_free_start(h);
	hat_free_end(h);
}

/* A gigabyte is one leaf where that is possible, but never in a top table inside the hat. */
CHECK(vlp_gigabyte, "vlp-gigabyte", NULL, 0, 0, NULL, 0)
{
	(void)hat;
	if (mmu.umax_page_level < VLP_LEVEL)
		return;
	leaves_of(NULL, 2, 1);
	leaves_of(&narrow, 1, LEVEL_SIZE(VLP_LEVEL) / LEVEL_SIZE(1));
}
