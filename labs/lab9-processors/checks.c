/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 9: who is told, and what is forgotten then. Reference code.
 *
 * Nearly all of them judge by behaviour: the page behind a few addresses is exchanged (world.h), and whoever forgets to forget
 * goes on reading the old one, from Bochs' own TLB. With one CPU the others have nothing to forget.
 */
#include "world.h"
#include <check/guard.h>
#include <check/trial.h>
#include <sys/cpu.h>
#include <sys/thread.h>

/** One flush, and what was seen of it. */
static struct {
	hat_t *hat; /* whose */
	uintptr_t va;
	bool peer_sleeps;
	uint_t before, peer_before; /* old pages seen before: all, or the check shows nothing */
	uint_t old, peer_old;       /* and after it */
	uint_t new, peer_new;
	uint_t demaps; /* how many CPUs were called, or did it themselves */
} seen;

static void
look_before(void)
{
	seen.before = world_old();
	seen.peer_before = peer_old();
	if (seen.peer_sleeps)
		peer_sleep();
	world_move();
}

static void
look_after(void)
{
	if (seen.peer_sleeps)
		peer_wake();
	seen.old = world_old();
	seen.new = world_new();
	seen.peer_old = peer_old();
	seen.peer_new = peer_new();
}

static void
invalidate(void)
{
	kpreempt_disable();
	look_before();
	copy_on(seen.hat);
	hat_tlb_inval(seen.hat, seen.va);
	seen.demaps = trial_calls("tlb_demap_local", TRIAL_ANY, TRIAL_ANY);
	copy_off();
	look_after();
	kpreempt_enable();
}

/* The same, while no CPU runs the hat. */
static void
invalidate_elsewhere(void)
{
	kpreempt_disable();
	hat_setup(NULL);
	copy_on(seen.hat);
	hat_tlb_inval(seen.hat, seen.va);
	seen.demaps = trial_calls("tlb_demap_local", TRIAL_ANY, TRIAL_ANY);
	copy_off();
	kpreempt_enable();
}

/* Stubs are met here, where nobody else can meet them. */
static void
alone(hat_t *hat)
{
	copy_on(hat);
	tlb_demap_local(hat, CALM);
	if (hat != kas_hat)
		hat_tlb_inval(hat, CALM);
	copy_off();
}

static void
undo_all(void)
{
	peer_stop();
	world_end();
}

/* Flush `va` of `hat` in a world made for it, with somebody who runs it too. */
static void
shoot(hat_t *hat, uintptr_t va)
{
	seen.hat = hat;
	seen.va = va;
	peer_start(hat == kas_hat ? NULL : hat);
	check_guarded(invalidate, undo_all);
	undo_all();
	check_eq(seen.before, ALL, "the addresses that read the first page before, a bit each, on the CPU that asks");
	check_eq(seen.peer_before, ncpus > 1 ? ALL : 0, "the addresses that read the first page before, on the other CPU");
}

/* ------------------------------------------------------------------ hat_tlb_inval */

CHECK(shoot_one, "shoot-one", "hat_tlb_inval", 9, 5, NULL, 0)
{
	world_make(hat);
	alone(hat);
	shoot(hat, world_va(0));
	check_true(seen.new & 1, "the CPU that calls hat_tlb_inval(hat, 0x%lx) still reads the old page there", (ulong_t)seen.va);
	check_true(seen.peer_new & 1, "the other CPU that runs the hat still reads the old page at 0x%lx", (ulong_t)seen.va);
}

CHECK(shoot_all, "shoot-all", "hat_tlb_inval", 9, 4, NULL, 0)
{
	world_make(hat);
	alone(hat);
	shoot(hat, DEMAP_ALL_ADDR);
	check_eq(seen.old, 0, "old pages that the CPU which asks still reads after DEMAP_ALL_ADDR, a bit each");
	check_eq(seen.peer_old, 0, "old pages that the other CPU still reads after DEMAP_ALL_ADDR, a bit each");
}

/* The kernel's hat is in every address space, whichever hats the CPUs run; its entries are global. */
CHECK(shoot_kernel, "shoot-kernel", "hat_tlb_inval", 9, 5, NULL, 0)
{
	(void)hat;
	world_make(kas_hat);
	alone(kas_hat);
	shoot(kas_hat, world_va(0));
	check_true(seen.new & 1, "the CPU that asks still reads the old page at the kernel's 0x%lx", (ulong_t)seen.va);
	check_true(seen.peer_new & 1, "the other CPU still reads the old page at the kernel's 0x%lx", (ulong_t)seen.va);
}

/* Who shows a hat's tables cannot be seen from that hat: everybody must forget everything. It runs nowhere itself. */
static hat_t *client;

static void
undo_client(void)
{
	undo_all();
	hat_free_start(client);
	hat_free_end(client);
}

CHECK(shoot_shared, "shoot-shared", "hat_tlb_inval", 9, 5, NULL, 0)
{
	world_make(hat);
	alone(hat);
	world_end();
	client = hat_alloc(NULL);
	world_make(client);
	seen.hat = hat;
	seen.va = CALM;
	peer_start(client);
	atomic_or_32(&hat->hat_flags, HAT_SHARED);
	check_guarded(invalidate, undo_client);
	atomic_and_32(&hat->hat_flags, ~(uint32_t)HAT_SHARED);
	undo_client();
	check_eq(seen.before, ALL, "addresses that read the first page before, a bit each");
	check_eq(seen.old, 0, "after a flush of a HAT_SHARED hat, old pages that this CPU still reads, a bit each");
	check_eq(seen.peer_old, 0, "after a flush of a HAT_SHARED hat, old pages that the other CPU still reads, a bit each");
}

/* A hat that is being destroyed runs nowhere. This one does, and so shows that nothing is done for it. */
CHECK(shoot_freeing, "shoot-freeing", "hat_tlb_inval", 9, 3, NULL, 0)
{
	world_make(hat);
	alone(hat);
	atomic_or_32(&hat->hat_flags, HAT_FREEING);
	seen.hat = hat;
	seen.va = DEMAP_ALL_ADDR;
	peer_start(hat);
	check_guarded(invalidate, undo_all);
	atomic_and_32(&hat->hat_flags, ~(uint32_t)HAT_FREEING);
	undo_all();
	if (trial_records("tlb_demap_local"))
		check_eq(seen.demaps, 0, "CPUs that flushed for a hat with HAT_FREEING");
	check_true(seen.old != 0, "the CPU that asks has forgotten everything of a hat with HAT_FREEING");
	check_true(ncpus < 2 || seen.peer_old != 0, "the other CPU has forgotten everything of a hat with HAT_FREEING");
}

/* CPUs that do not run the hat have other things to do. The caller may do its own part in any case. */
CHECK(shoot_others, "shoot-others", "hat_tlb_inval", 9, 5, NULL, 0)
{
	uint_t here, nowhere;

	if (!trial_records("tlb_demap_local"))
		return;
	world_make(hat);
	alone(hat);
	seen.hat = hat;
	seen.va = world_va(0);
	peer_start(NULL);
	check_guarded(invalidate, undo_all);
	here = seen.demaps;
	check_guarded(invalidate_elsewhere, undo_all);
	nowhere = seen.demaps;
	undo_all();
	check_eq(here, 1, "CPUs that flushed for a hat that only the calling CPU runs");
	check_true(nowhere <= 1, "%u CPUs flushed for a hat that no CPU runs", nowhere);
}

/* ------------------------------------------------------------------ CPUs that sleep */

/* Two CPUs that do not exist, one asleep, one awake. Cross-calls pass them by. */
static cpu_t fake[2];
static hat_t *fakes_for;

static void
fakes_come(hat_t *hat)
{
	int first = ncpus;

	fakes_for = hat;
	for (int i = 0; i < 2; i++) {
		fake[i] = (cpu_t){ .cpu_id = first + i, .cpu_current_hat = hat };
		cpu[first + i] = &fake[i];
		atomic_or_long(&hat->hat_cpus, CPUSET(first + i));
	}
	fake[0].cpu_tlb_info = TLB_CPU_HALTED;
	ncpus = first + 2;
}

static void
fakes_go(void)
{
	if (fakes_for == NULL)
		return;
	ncpus -= 2;
	for (int i = 0; i < 2; i++) {
		atomic_and_long(&fakes_for->hat_cpus, ~CPUSET(ncpus + i));
		cpu[ncpus + i] = NULL;
	}
	fakes_for = NULL;
}

static void
undo_fakes(void)
{
	fakes_go();
	undo_all();
}

/* From end to end with preemption off: nobody else may meet them. */
static void
invalidate_with_fakes(void)
{
	kpreempt_disable();
	look_before();
	fakes_come(seen.hat);
	copy_on(seen.hat);
	hat_tlb_inval(seen.hat, seen.va);
	seen.demaps = trial_calls("tlb_demap_local", TRIAL_ANY, TRIAL_ANY);
	copy_off();
	fakes_go();
	look_after();
	kpreempt_enable();
}

CHECK(shoot_asleep, "shoot-asleep", "hat_tlb_inval", 9, 5, NULL, 0)
{
	if (ncpus + 2 > NCPU)
		return;
	world_make(hat);
	alone(hat);
	seen.hat = hat;
	seen.va = world_va(0);
	seen.peer_sleeps = true;
	peer_start(hat);
	check_guarded(invalidate_with_fakes, undo_fakes);
	seen.peer_sleeps = false;
	undo_fakes();
	check_eq(fake[0].cpu_tlb_info, TLB_CPU_HALTED | TLB_INVAL_ALL, "cpu_tlb_info of a CPU that sleeps while it runs the hat");
	check_eq(fake[1].cpu_tlb_info, 0, "cpu_tlb_info of a CPU that is awake and runs the hat");
	if (trial_records("tlb_demap_local"))
		check_eq(seen.demaps, 1, "CPUs that flushed at once, where the only others sleep");
	check_true(seen.new & 1, "the CPU that asks still reads the old page at 0x%lx", (ulong_t)seen.va);
	check_true(seen.peer_new & 1, "the other CPU slept, and still reads the old page at 0x%lx", (ulong_t)seen.va);
}
