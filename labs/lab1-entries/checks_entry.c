/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 1: loading, exchanging, clearing and changing one entry.
 */
#define CHECK_PART 0 /* checks run, and are shown, in the order of the handout */

#include <labs/lab1-entries/checks.h>
#include <labs/lab1-entries/step.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/string.h>

/* ------------------------------------------------------------------ pte_load */

#define ONE 0x1111111011111110ull /* not valid, in either half */
#define TWO 0x2222222022222220ull

static x86pte_t cell[3] ALIGNED(8); /* the entry in the middle is meant */

static volatile void *
middle(void)
{
	return (PT_INDEX_PTR(cell, 1));
}

static x86pte_t
cell_get(void)
{
	return (MMU_PAE ? *(volatile x86pte_t *)middle() : *(volatile x86pte32_t *)middle());
}

static void
cell_put(x86pte_t e)
{
	if (MMU_PAE)
		*(volatile x86pte_t *)middle() = e;
	else
		*(volatile x86pte32_t *)middle() = (x86pte32_t)e;
}

static void
want_load(x86pte_t e)
{
	x86pte_t have;

	cell_put(e);
	have = pte_load(middle());
	check_true(have == e, "the entry is 0x%llx, pte_load() returns 0x%llx", (unsigned long long)e, (unsigned long long)have);
	check_true(cell_get() == e, "pte_load() made 0x%llx of 0x%llx", (unsigned long long)cell_get(), (unsigned long long)e);
}

CHECK(load_value, "load-value", "pte_load", 1, 2, NULL, CK_BARE)
{
	memset(cell, 0x5a, sizeof(cell));
	copy_on(hat);
	want_load(0);
	want_load(narrowed(ONE));
	want_load(narrowed(~(x86pte_t)0));
	want_load(narrowed(TWO | PT_VALID));
	for (int i = 0; i < 8; i++)
		want_load(junk());
	copy_off();
}

/* The function itself, past the jump that chooses among copies: that would be stepped through as well. */
static void *
function(const char *name)
{
	static const uintptr_t nothing[TRIAL_NARGS];

	return (trial_function(name, nothing));
}

static uint_t pace, phase, when;

/* Another CPU writes the entry, turn and turn about; at last, later than a sanitizer takes to come to the load, it lets it be. */
static void
turn(uint_t n)
{
	if (n < 150 && (n + phase) % pace == 0)
		cell_put(cell_get() == narrowed(ONE) ? narrowed(TWO) : narrowed(ONE));
}

static x86pte_t (*load_func)(volatile void *p);

static uint64_t
load(volatile void *p, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	return (load_func(p));
}

CHECK(load_whole, "load-whole", "pte_load", 1, 4, "load-value", CK_BARE)
{
	copy_on(hat);
	load_func = function("pte_load");
	if (load_func == NULL)
		load_func = pte_load;
	for (pace = 1; pace <= 6; pace++)
		for (phase = 0; phase < pace; phase++) {
			x86pte_t have;

			cell_put(narrowed(ONE));
			have = step_through(load, middle(), 0, 0, turn, NULL);
			check_true(have == narrowed(ONE) || have == narrowed(TWO),
			    "an entry that is now 0x%llx, now 0x%llx was loaded as 0x%llx: half of each",
			    (unsigned long long)narrowed(ONE), (unsigned long long)narrowed(TWO), (unsigned long long)have);
		}
	copy_off();
}

/* ------------------------------------------------------------------ pte_cas */

static void
want_cas(x86pte_t there, x86pte_t old, x86pte_t new, x86pte_t after)
{
	x86pte_t found;

	memset(cell, 0x5a, sizeof(cell));
	cell_put(there);
	found = pte_cas(middle(), old, new);
	check_true(found == there, "pte_cas(0x%llx, 0x%llx) of 0x%llx found 0x%llx", (unsigned long long)old,
	    (unsigned long long)new, (unsigned long long)there, (unsigned long long)found);
	check_true(cell_get() == after, "pte_cas(0x%llx, 0x%llx) of 0x%llx left 0x%llx", (unsigned long long)old,
	    (unsigned long long)new, (unsigned long long)there, (unsigned long long)cell_get());
	check_true(*((volatile uint8_t *)middle() - 1) == 0x5a && *((volatile uint8_t *)middle() + mmu.pte_size) == 0x5a,
	    "pte_cas() has written beside its entry of %u bytes", mmu.pte_size);
}

CHECK(cas_exchanges, "cas-exchanges", "pte_cas", 1, 2, NULL, CK_BARE)
{
	copy_on(hat);
	want_cas(0, 0, narrowed(ONE), narrowed(ONE));
	want_cas(narrowed(ONE), narrowed(ONE), narrowed(TWO), narrowed(TWO));
	want_cas(narrowed(TWO), narrowed(TWO), 0, 0);
	for (int i = 0; i < 8; i++) {
		x86pte_t old = junk(), new = junk();

		want_cas(old, old, new, new);
	}
	copy_off();
}

/* All bits count: also those of the half that holds no flags. */
CHECK(cas_compares, "cas-compares", "pte_cas", 1, 2, "cas-exchanges", CK_BARE)
{
	x86pte_t there = junk();

	copy_on(hat);
	for (uint_t bit = 0; bit < 8 * mmu.pte_size; bit++)
		want_cas(there, there ^ (x86pte_t)1 << bit, narrowed(ONE), there);
	copy_off();
}

static x86pte_t (*cas_func)(volatile void *p, x86pte_t old, x86pte_t new);

static uint64_t
cas(volatile void *p, uint64_t old, uint64_t new)
{
	return (cas_func(p, old, new));
}

/* The MMU uses the page, once. */
static void
use_page(uint_t n)
{
	if (n == when)
		atomic_or_32(middle(), PT_REF);
}

/* Whenever that is, before the exchange or after it: what the MMU noted is not lost. */
CHECK(cas_atomic, "cas-atomic", "pte_cas", 1, 2, "cas-exchanges cas-compares", CK_BARE)
{
	x86pte_t before = narrowed(ONE) & ~(x86pte_t)PT_REF, after = narrowed(TWO) & ~(x86pte_t)PT_REF, found;
	uint_t steps = 400;

	copy_on(hat);
	cas_func = function("pte_cas");
	if (cas_func == NULL)
		cas_func = pte_cas;
	for (when = 0; when < steps; when++) {
		cell_put(before);
		found = step_through(cas, middle(), before, after, use_page, &steps);
		check_true(cell_get() & PT_REF,
		    "accessed was set while pte_cas() ran (it found 0x%llx): it left 0x%llx, accessed is lost",
		    (unsigned long long)found, (unsigned long long)cell_get());
		check_true(found == before ? (cell_get() & ~PT_REF) == after : found == (before | PT_REF),
		    "pte_cas() found 0x%llx, and left 0x%llx", (unsigned long long)found, (unsigned long long)cell_get());
	}
	copy_off();
}

#undef CHECK_PART
#define CHECK_PART 2

/* ------------------------------------------------------------------ x86pte_get */

static const htable_t *
vlp_table(hat_t *hat)
{
	static htable_t ht;

	ht = (htable_t){ .ht_hat = hat, .ht_level = VLP_LEVEL, .ht_flags = HTABLE_VLP, .ht_pfn = PFN_INVALID };
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		hat->hat_vlp_ptes[i] = junk();
	return (&ht);
}

static void
want_get(htable_t *ht, uint_t entry)
{
	x86pte_t have = x86pte_get(ht, entry), want = raw_entry(ht, entry);

	check_true(have == want, "entry %u: x86pte_get() returns 0x%llx, in memory is 0x%llx", entry, (unsigned long long)have,
	    (unsigned long long)want);
}

/* Was pte_load() called for this entry, where this CPU's window shows it? Windows' own entries are loaded, too. */
static bool
loaded_whole(htable_t *ht, uint_t entry)
{
	uintptr_t window;

	kpreempt_disable();
	trial_forget();
	(void)x86pte_get(ht, entry);
	window = mmu.pwin_base + 2 * CPU->cpu_id * PAGESIZE;
	kpreempt_enable();
	return (trial_calls("pte_load", (uintptr_t)PT_INDEX_PTR(window, entry), TRIAL_ANY) > 0);
}

CHECK(get_value, "get-value", "x86pte_get", 1, 2, NULL, 0)
{
	uint_t last = mmu.ptes_per_table - 1;

	take(hat);
	put_raw(at.ht, 0, junk());
	put_raw(at.ht, at.entry, check_leaf(at.a, PT_WRITABLE | mmu.pt_nx));
	put_raw(at.ht, last, junk());
	copy_on(hat);
	want_get(at.ht, 0);
	want_get(at.ht, at.entry - 1);
	want_get(at.ht, at.entry);
	want_get(at.ht, last);
	if (sizeof(uintptr_t) < mmu.pte_size && trial_records("pte_load"))
		check_true(loaded_whole(at.ht, last),
		    "the entry, which has %u bytes, was not loaded by pte_load(): its halves may be of two values", mmu.pte_size);
	copy_off();
	put_raw(at.ht, 0, 0);
	put_raw(at.ht, last, 0);
	drop();
}

CHECK(get_vlp, "get-vlp", "x86pte_get", 1, 1, "get-value", CK_BARE)
{
	htable_t *ht = (htable_t *)vlp_table(hat);

	copy_on(hat);
	for (uint_t i = 0; i < VLP_NUM_PTES; i++)
		want_get(ht, i);
	copy_off();
}

static void
get_behind(void *arg)
{
	(void)arg;
	(void)x86pte_get(at.ht, mmu.ptes_per_table);
}

CHECK(get_range, "get-range", "x86pte_get", 1, 1, "get-value", 0)
{
	char text[160];
	bool stopped;

	take(hat);
	copy_on(hat);
	stopped = check_panics(get_behind, NULL, text, sizeof(text));
	copy_off();
	check_true(stopped, "entry %u of a table with entries 0 to %u: no assertion", mmu.ptes_per_table, mmu.ptes_per_table - 1);
	drop();
}

/* ------------------------------------------------------------------ x86pte_cas */

CHECK(link_exchanges, "link-exchanges", "x86pte_cas", 1, 2, NULL, 0)
{
	x86pte_t one, two;

	take(hat);
	one = check_leaf(at.a, PT_WRITABLE);
	two = check_leaf(at.b, PT_WRITABLE);
	copy_on(hat);
	check_eq(x86pte_cas(at.ht, at.entry, 0, one), 0, "what was found in an empty entry");
	want_entry(one, "exchanged for 0");
	check_eq(x86pte_cas(at.ht, at.entry, one, two), one, "what was found");
	want_entry(two, "exchanged for another one");
	want_flushes(hat, 0, "x86pte_cas() is for links: whoever uses it flushes");
	drop();
}

CHECK(link_compares, "link-compares", "x86pte_cas", 1, 1, "link-exchanges", 0)
{
	x86pte_t there;

	take(hat);
	there = check_leaf(at.a, PT_WRITABLE);
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	check_eq(x86pte_cas(at.ht, at.entry, 0, check_leaf(at.b, 0)), there, "what was found instead of 0");
	check_eq(x86pte_cas(at.ht, at.entry, there | PT_REF, check_leaf(at.b, 0)), there, "what was found, with accessed not set");
	want_entry(there, "not what was expected: nothing changes");
	drop();
}

CHECK(link_vlp, "link-vlp", "x86pte_cas", 1, 1, "link-exchanges", CK_BARE)
{
	htable_t *ht = (htable_t *)vlp_table(hat);
	x86pte_t new = junk(), old;

	copy_on(hat);
	for (uint_t i = 0; i < VLP_NUM_PTES; i++) {
		old = hat->hat_vlp_ptes[i];
		check_eq(x86pte_cas(ht, i, old, new), old, "what was found in an entry of a table inside its hat");
		check_eq(hat->hat_vlp_ptes[i], new, "an entry of a table inside its hat");
	}
	copy_off();
}

#undef CHECK_PART
#define CHECK_PART 4

/* ------------------------------------------------------------------ x86pte_inval */

#define ANY (~0u)

/* Clear `there`, expecting `expect`. */
static void
want_inval(hat_t *hat, x86pte_t there, x86pte_t expect, uint_t flushes, const char *what)
{
	x86pte_t found;

	put_raw(at.ht, at.entry, there);
	trial_forget();
	found = x86pte_inval(at.ht, at.entry, expect, NULL);
	check_true(found == there, "%s: x86pte_inval() returns 0x%llx, want 0x%llx", what, (unsigned long long)found,
	    (unsigned long long)there);
	want_entry(0, what);
	if (flushes != ANY)
		want_flushes(hat, flushes, what);
}

CHECK(inval_clears, "inval-clears", "x86pte_inval", 1, 2, NULL, 0)
{
	x86pte_t leaf;

	take(hat);
	leaf = check_leaf(at.a, PT_WRITABLE);
	expect_table(at.va, 0);
	copy_on(hat);
	want_inval(hat, leaf, leaf, ANY, "the leaf that was expected");
	want_inval(hat, leaf, 0, ANY, "whatever leaf is there");
	want_inval(hat, 0, 0, ANY, "an entry that is empty");
	want_inval(hat, leaf | PT_REF, leaf, ANY, "the leaf that was expected, used meanwhile");
	copy_off();
	check_outside(hat);
	drop();
}

CHECK(inval_other, "inval-other", "x86pte_inval", 1, 1, "inval-clears", 0)
{
	x86pte_t there, found;

	take(hat);
	there = check_leaf(at.b, PT_WRITABLE | PT_REF);
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	found = x86pte_inval(at.ht, at.entry, check_leaf(at.a, PT_WRITABLE | PT_REF), NULL);
	copy_off();
	check_eq(found, there, "result: the leaf of another frame");
	want_entry(there, "a leaf of another frame stays");
	want_flushes(hat, 0, "a leaf of another frame stays");
	drop();
}

CHECK(inval_flush, "inval-flush", "x86pte_inval", 1, 2, "inval-clears", 0)
{
	take(hat);
	copy_on(hat);
	want_inval(hat, check_leaf(at.a, PT_REF), 0, 1, "a leaf that had been used");
	want_inval(hat, check_leaf(at.a, PT_MOD), 0, 1, "a leaf with dirty only");
	want_inval(hat, check_leaf(at.a, PT_REF | PT_MOD), 0, 1, "a leaf that had been written through");
	want_inval(hat, check_leaf(at.a, PT_WRITABLE), 0, 0, "a leaf that had never been used");
	at.ht->ht_flags |= HTABLE_CUT;
	want_inval(hat, check_leaf(at.a, PT_REF | PT_MOD), 0, 0, "a leaf of a table that is cut off");
	at.ht->ht_flags &= (uint8_t)~HTABLE_CUT;
	drop();
}

CHECK(inval_stale, "inval-stale", "x86pte_inval", 1, 1, "inval-clears", 0)
{
	uint32_t seen = 0;
	bool readable;

	take_quiet(hat);
	run_hat(hat, check_leaf(at.a, PT_WRITABLE));
	copy_on(hat);
	(void)x86pte_inval(at.ht, at.entry, 0, NULL);
	copy_off();
	readable = peek((void *)at.va, &seen, sizeof(seen));
	leave_hat(hat);
	check_true(!readable, "the entry was cleared, but 0x%lx can still be read: 0x%x", (ulong_t)at.va, seen);
	drop();
}

CHECK(inval_mapped, "inval-mapped", "x86pte_inval", 1, 1, "inval-clears", 0)
{
	x86pte_t there, old, beside ALIGNED(8);

	take(hat);
	there = check_leaf(at.a, 0);
	beside = check_leaf(at.b, 0);
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	old = x86pte_inval(at.ht, at.entry, 0, &beside);
	copy_off();
	check_eq(old, check_leaf(at.b, 0), "result: what the caller's pointer led to");
	check_eq(narrowed(beside), 0, "the entry that the caller's pointer leads to");
	want_entry(there, "which the caller's pointer did not lead to");
	drop();
}

CHECK(inval_race, "inval-race", "x86pte_inval", 1, 1, "inval-clears inval-flush", 0)
{
	x86pte_t leaf, found;

	take(hat);
	leaf = check_leaf(at.a, PT_WRITABLE);
	put_raw(at.ht, at.entry, leaf);
	copy_on(hat);
	race_on();
	found = x86pte_inval(at.ht, at.entry, leaf, NULL);
	copy_off();
	if (race_happened()) {
		check_eq(found, leaf | PT_REF | PT_MOD, "result: with accessed and dirty as of the instant of clearing");
		want_entry(0, "used at the last moment, then cleared");
		want_flushes(hat, 1, "used at the last moment");
	}
	drop();
}

/* ------------------------------------------------------------------ x86pte_update */

CHECK(update_changes, "update-changes", "x86pte_update", 1, 2, NULL, 0)
{
	x86pte_t expect, new;

	take(hat);
	expect = check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD);
	new = check_leaf(at.a, PT_REF | PT_MOD | mmu.pt_nx);
	expect_leaf(at.va, 0, new);
	put_raw(at.ht, at.entry, expect);
	copy_on(hat);
	check_eq(x86pte_update(at.ht, at.entry, expect, new), expect, "result: done");
	want_entry(new, "changed");
	want_flushes(hat, 1, "an entry was changed");
	trial_forget();
	put_raw(at.ht, at.entry, check_leaf(at.a, 0));
	check_eq(x86pte_update(at.ht, at.entry, check_leaf(at.a, 0), new), check_leaf(at.a, 0), "result: done");
	want_flushes(hat, 1, "an entry without accessed was changed");
	copy_off();
	check_outside(hat);
	drop();
}

CHECK(update_differs, "update-differs", "x86pte_update", 1, 2, "update-changes", 0)
{
	x86pte_t expect, there;

	take(hat);
	expect = check_leaf(at.a, PT_WRITABLE);
	there = expect | PT_REF | PT_MOD;
	put_raw(at.ht, at.entry, there);
	copy_on(hat);
	check_eq(x86pte_update(at.ht, at.entry, expect, check_leaf(at.a, 0)), there, "result: used meanwhile, read again");
	want_entry(there, "not what was expected: nothing changes");
	want_flushes(hat, 0, "nothing changed");
	drop();
}

CHECK(update_stale, "update-stale", "x86pte_update", 1, 1, "update-changes", 0)
{
	uint32_t word = 0x33333333;
	x86pte_t there;
	bool written;

	take_quiet(hat);
	run_hat(hat, check_leaf(at.a, PT_WRITABLE));
	check_true(poke((void *)at.va, &word, sizeof(word)), "0x%lx cannot be written", (ulong_t)at.va);
	there = raw_entry(at.ht, at.entry);
	copy_on(hat);
	(void)x86pte_update(at.ht, at.entry, there, there & ~(x86pte_t)PT_WRITABLE);
	copy_off();
	written = poke((void *)at.va, &word, sizeof(word));
	leave_hat(hat);
	check_true(!written, "write permission was taken away, but 0x%lx can still be written", (ulong_t)at.va);
	drop();
}

static bool written_late;

/* Another CPU's write, through the translation that it still has. */
static void
write_late(const char *func, const uintptr_t *args)
{
	(void)args;
	if (written_late || strcmp(func, "hat_tlb_inval") != 0)
		return;
	written_late = true;
	put_raw(at.ht, at.entry, raw_entry(at.ht, at.entry) | PT_REF | PT_MOD);
}

/* Between the exchange and the flush. Whoever looks for it before the flush, or not at all, loses that write. */
CHECK(update_lost, "update-lost", "x86pte_update", 1, 2, "update-changes", 0)
{
	x86pte_t expect, found;

	take(hat);
	expect = check_leaf(at.a, PT_WRITABLE | PT_REF);
	put_raw(at.ht, at.entry, expect);
	copy_on(hat);
	written_late = false;
	trial_on_call(write_late);
	found = x86pte_update(at.ht, at.entry, expect, check_leaf(at.a, PT_REF));
	copy_off();
	if (trial_records("hat_tlb_inval")) {
		check_true(found != expect, "a page was written to just before the flush: the result 0x%llx says that all is well",
		    (unsigned long long)found);
		want_entry(
		    check_leaf(at.a, PT_WRITABLE | PT_REF | PT_MOD), "written to just before the flush: permission is given back");
	}
	drop();
}
