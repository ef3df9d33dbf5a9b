/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 9: what one CPU does by itself, and writes that come late. Reference code.
 */
#include "world.h"
#include <check/guard.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <x86/cpufunc.h>

#define OTHER_GIB ((uintptr_t)0x80000000) /* user's in both kernels, and not where the world is */

static struct as narrow = { .a_32bit = true };

static struct {
	hat_t *hat; /* whose */
	uintptr_t va;
	uint_t before, old, new;
	x86pte_t slots[VLP_NUM_PTES]; /* what this CPU's MMU is shown of a VLP hat, afterwards */
	bool ask;
	uint32_t asleep, awake; /* cpu_tlb_info */
	uintptr_t cr3, cr4;     /* bits that changed */
} seen;

static void
demap(void)
{
	kpreempt_disable();
	seen.before = world_old();
	world_move();
	copy_on(seen.hat);
	tlb_demap_local(seen.hat, seen.va);
	copy_off();
	seen.old = world_old();
	seen.new = world_new();
	kpreempt_enable();
}

static void
demap_world(hat_t *hat, uintptr_t va)
{
	seen.hat = hat;
	seen.va = va;
	check_guarded(demap, world_end);
	world_end();
	check_eq(seen.before, ALL, "addresses that read the first page before, a bit each");
}

/* ------------------------------------------------------------------ tlb_demap_local */

CHECK(demap_one, "demap-one", "tlb_demap_local", 9, 3, NULL, 0)
{
	world_make(hat);
	demap_world(hat, world_va(0));
	check_true(seen.new & 1, "after tlb_demap_local(hat, 0x%lx) that address still reads the old page", (ulong_t)seen.va);
	check_true(seen.old != 0, "one address was to be forgotten, and all others are forgotten too");
}

CHECK(demap_all, "demap-all", "tlb_demap_local", 9, 3, NULL, 0)
{
	world_make(hat);
	demap_world(hat, DEMAP_ALL_ADDR);
	check_eq(seen.old, 0, "addresses that still read the old page after DEMAP_ALL_ADDR, a bit each");
}

/* The CPU runs a user's hat meanwhile: the kernel's addresses are in it all the same. */
CHECK(demap_kernel, "demap-kernel", "tlb_demap_local", 9, 3, NULL, 0)
{
	world_make(kas_hat);
	hat_setup(hat);
	demap_world(kas_hat, world_va(0));
	check_true(seen.new & 1, "on a CPU with a user's hat, the kernel's 0x%lx still reads the old page", (ulong_t)seen.va);
}

/* The CPU runs another hat: this one's entries are none of its business. */
CHECK(demap_other, "demap-other", "tlb_demap_local", 9, 3, NULL, 0)
{
	hat_t *mine = hat_alloc(&narrow);
	htable_t *ht = htable_create(hat, world_va(0), 0, NULL); /* a table in the same place, and empty */

	world_make(mine);
	seen.hat = hat;
	seen.va = DEMAP_ALL_ADDR;
	check_guarded(demap, world_end);
	world_end();
	htable_release(ht);
	hat_free_start(mine);
	hat_free_end(mine);
	check_eq(seen.before, ALL, "addresses that read the first page before, a bit each");
	check_eq(seen.old | seen.new, ALL, "addresses of the hat that the CPU runs, after a flush for another one, a bit each");
	check_true(seen.old != 0, "a flush for a hat that this CPU does not run made it forget its own");
}

/* ------------------------------------------------------------------ top tables inside a hat */

/* What this CPU's MMU is shown of a gigabyte of a VLP hat was lost, and is to come back. */
static struct {
	hat_t *hat;
	page_t *page;
	x86pte_t entry, slot; /* the hat's, and the CPU's copy afterwards */
	bool readable;
} vlp;

static void
vlp_lose(void)
{
	pte_store(&CPU->cpu_hat_info->hci_vlp_slots[OTHER_GIB >> LEVEL_SHIFT(VLP_LEVEL)], 0);
	write_cr3(read_cr3());
}

static void
vlp_look(void)
{
	uint32_t word;

	vlp.slot = pte_load(&CPU->cpu_hat_info->hci_vlp_slots[OTHER_GIB >> LEVEL_SHIFT(VLP_LEVEL)]);
	vlp.readable = peek((void *)OTHER_GIB, &word, sizeof(word));
}

static void
vlp_end(void)
{
	hat_setup(NULL);
	hat_unload(vlp.hat, OTHER_GIB, PAGESIZE, HAT_UNLOAD);
	page_free(vlp.page, 0);
	hat_free_start(vlp.hat);
	hat_free_end(vlp.hat);
}

/* fn() loses, uses the copy, and looks. Where top tables have a frame of their own, fn() only uses the copy. */
static void
vlp_check(void (*fn)(void), const char *what)
{
	vlp.hat = hat_alloc(&narrow);
	vlp.page = check_page();
	hat_memload(vlp.hat, OTHER_GIB, vlp.page, PROT_READ | PROT_USER, HAT_LOAD);
	vlp.entry = vlp.slot = 0;
	vlp.readable = true;
	if (vlp.hat->hat_flags & HAT_VLP)
		vlp.entry = raw_entry(vlp.hat->hat_htable, OTHER_GIB >> LEVEL_SHIFT(VLP_LEVEL));
	hat_setup(vlp.hat);
	check_guarded(fn, vlp_end);
	vlp_end();
	check_true(vlp.slot == vlp.entry, "%s: this CPU's copy of directory entry %u is 0x%llx, the hat's is 0x%llx", what,
	    (uint_t)(OTHER_GIB >> 30), (unsigned long long)vlp.slot, (unsigned long long)vlp.entry);
	check_true(vlp.readable, "%s: directory entry %u is in this CPU's copy, but CR3 was loaded before it was", what,
	    (uint_t)(OTHER_GIB >> 30));
}

static void
vlp_demap(void)
{
	bool is_vlp = (vlp.hat->hat_flags & HAT_VLP) != 0;

	kpreempt_disable();
	if (is_vlp)
		vlp_lose();
	copy_on(vlp.hat);
	tlb_demap_local(vlp.hat, DEMAP_ALL_ADDR);
	copy_off();
	if (is_vlp)
		vlp_look();
	kpreempt_enable();
}

CHECK(demap_vlp, "demap-vlp", "tlb_demap_local", 9, 3, NULL, 0)
{
	(void)hat;
	vlp_check(vlp_demap, "tlb_demap_local(hat, DEMAP_ALL_ADDR)");
}

/* ------------------------------------------------------------------ tlb_going_idle, tlb_service */

/* To sleep and wake, as the idle thread does; somebody may have asked for a flush meanwhile. Interrupts are off. */
static void
sleep_and_wake(hat_t *hat)
{
	uintptr_t cr3 = read_cr3(), cr4 = read_cr4();

	copy_on(hat);
	tlb_going_idle();
	seen.asleep = CPU->cpu_tlb_info;
	if (seen.ask)
		atomic_or_32(&CPU->cpu_tlb_info, TLB_INVAL_ALL);
	tlb_service();
	seen.awake = atomic_swap_32(&CPU->cpu_tlb_info, 0);
	copy_off();
	seen.cr3 = read_cr3() ^ cr3;
	seen.cr4 = read_cr4() ^ cr4;
	write_cr4(cr4); /* it stays with the CPU, whatever becomes of this check */
}

static void
idle(void)
{
	ulong_t s;

	kpreempt_disable();
	s = intr_save();
	seen.before = world_old();
	world_move();
	sleep_and_wake(seen.hat);
	seen.old = world_old();
	seen.new = world_new();
	intr_restore(s);
	kpreempt_enable();
}

/* A copy that ends here may leave a mark, which would be served at the next interrupt. */
static void
undo_idle(void)
{
	(void)atomic_swap_32(&CPU->cpu_tlb_info, 0);
	world_end();
}

static void
idle_world(hat_t *hat, bool ask)
{
	seen.hat = hat;
	seen.ask = ask;
	check_guarded(idle, undo_idle);
	world_end();
	check_eq(seen.before, ALL, "addresses that read the first page before, a bit each");
}

CHECK(idle_marks, "idle-marks", "tlb_idle", 9, 3, NULL, 0)
{
	for (uint_t ask = 0; ask < 2; ask++) {
		world_make(hat);
		idle_world(hat, ask != 0);
		check_eq(seen.asleep, TLB_CPU_HALTED, "cpu_tlb_info after tlb_going_idle()");
		check_eq(seen.awake, 0, "cpu_tlb_info after tlb_service()");
	}
}

CHECK(idle_flush, "idle-flush", "tlb_idle", 9, 3, NULL, 0)
{
	world_make(hat);
	idle_world(hat, true);
	check_eq(seen.old, 0, "asked to flush while asleep; addresses that still read the old page, a bit each");
	check_eq(seen.cr3, 0, "bits of CR3 that tlb_service() has changed");
}

CHECK(idle_global, "idle-global", "tlb_idle", 9, 3, NULL, 0)
{
	world_make(kas_hat);
	idle_world(hat, true);
	check_eq(seen.old, 0, "asked to flush while asleep; global addresses that still read the old page, a bit each");
	check_eq(seen.cr4, 0, "bits of CR4 that tlb_service() has changed");
}

CHECK(idle_quiet, "idle-quiet", "tlb_idle", 9, 1, NULL, 0)
{
	world_make(hat);
	idle_world(hat, false);
	check_true(seen.old != 0, "nobody asked for a flush, and tlb_service() has flushed");
}

static void
vlp_idle(void)
{
	bool is_vlp = (vlp.hat->hat_flags & HAT_VLP) != 0;
	ulong_t s;

	kpreempt_disable();
	s = intr_save();
	if (is_vlp)
		vlp_lose();
	seen.ask = true;
	sleep_and_wake(vlp.hat);
	if (is_vlp)
		vlp_look();
	intr_restore(s);
	kpreempt_enable();
}

CHECK(idle_vlp, "idle-vlp", "tlb_idle", 9, 2, NULL, 0)
{
	(void)hat;
	vlp_check(vlp_idle, "tlb_service()");
}

/* ------------------------------------------------------------------ pte_lost_write */

#define FRAME ((x86pte_t)0x123000)
#define READ  (FRAME | PT_VALID | PT_USER | PT_REF)
#define WRITE (READ | PT_WRITABLE)

static volatile x86pte_t slot ALIGNED(8);

/* The entry is `now` when the flush is done. */
static x86pte_t
lost(hat_t *hat, x86pte_t expect, x86pte_t new, x86pte_t now)
{
	x86pte_t answer;

	slot = now;
	copy_on(hat);
	answer = pte_lost_write(&slot, expect, new);
	copy_off();
	return (answer);
}

CHECK(lost_nothing, "lost-nothing", "pte_lost_write", 9, 2, NULL, 0)
{
	check_eq(lost(hat, WRITE, READ, READ), WRITE, "the answer when nobody has written");
	check_eq(slot, READ, "the entry when nobody has written");
	check_eq(lost(hat, WRITE & ~PT_REF, READ & ~PT_REF, READ), WRITE & ~PT_REF, "the answer when somebody has read");
	check_eq(slot, READ, "the entry when somebody has read");
}

CHECK(lost_found, "lost-found", "pte_lost_write", 9, 3, NULL, 0)
{
	x86pte_t answer = lost(hat, WRITE, READ, READ | PT_MOD);

	check_eq(slot, WRITE | PT_MOD, "the entry when somebody has written: its permission is given back");
	check_eq(answer, WRITE | PT_MOD, "the answer when somebody has written: the entry as it is now");
}

/* There was no permission to lose, or it was known to be dirty, or that is kept in the new entry. */
CHECK(lost_no_loss, "lost-no-loss", "pte_lost_write", 9, 3, NULL, 0)
{
	static const struct {
		x86pte_t expect, new, now;
		const char *what;
	} c[] = {
		{ WRITE | PT_MOD, READ, READ | PT_MOD, "it was dirty before" },
		{ READ, READ | PT_NOCACHE, READ | PT_NOCACHE | PT_MOD, "it could not be written before" },
		{ WRITE, WRITE | PT_NOCACHE, WRITE | PT_NOCACHE | PT_MOD, "it can be written still" },
		{ WRITE, READ | PT_MOD, READ | PT_MOD, "the new entry is dirty anyway" },
	};

	for (uint_t i = 0; i < NELEM(c); i++) {
		x86pte_t answer = lost(hat, c[i].expect, c[i].new, c[i].now);

		check_true(answer == c[i].expect, "%s: the answer is 0x%llx, want 0x%llx, for nothing is lost", c[i].what,
		    (unsigned long long)answer, (unsigned long long)c[i].expect);
		check_true(slot == c[i].now, "%s: the entry has become 0x%llx, want 0x%llx, for nothing is lost", c[i].what,
		    (unsigned long long)slot, (unsigned long long)c[i].now);
	}
}

/* Another CPU reads through the entry, again and again, and so it changes between a look at it and the exchange. */
#define ROUNDS 1500u

static hat_t *race_hat;
static x86pte_t race_answer, race_entry;

static void
race(void)
{
	x86pte_t want = FRAME | PT_VALID | PT_USER | PT_WRITABLE | PT_MOD;

	kpreempt_disable();
	slot = READ | PT_MOD;
	peer_toggle((x86pte_t *)(uintptr_t)&slot);
	copy_on(race_hat);
	for (uint_t i = 0; i < ROUNDS; i++) {
		atomic_and_32((volatile uint32_t *)&slot, ~(uint32_t)PT_WRITABLE);
		for (uint_t n = i % 23; n > 0; n--)
			__asm__ volatile("" : : : "memory");
		race_answer = pte_lost_write(&slot, WRITE, READ) & ~PT_REF;
		race_entry = pte_load(&slot) & ~PT_REF;
		if (race_answer != want || race_entry != want)
			break;
	}
	copy_off();
	peer_calm();
	kpreempt_enable();
}

CHECK(lost_race, "lost-race", "pte_lost_write", 9, 3, NULL, 0)
{
	x86pte_t want = FRAME | PT_VALID | PT_USER | PT_WRITABLE | PT_MOD;

	race_hat = hat;
	peer_start(NULL);
	check_guarded(race, peer_stop);
	peer_stop();
	check_eq(race_entry, want, "the entry (but for its accessed bit, which others set) when somebody has written");
	check_eq(race_answer, want, "the answer (but for the accessed bit, which others set) when somebody has written");
}
