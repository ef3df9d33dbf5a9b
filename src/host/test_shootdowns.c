/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Who is told of a flush, and who need not be: CPUs that sleep, that wake just then, and the one that panics.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>

#define FRAMES ((pfn_t)1 << (30 - PAGESHIFT)) /* no memory is there */

/** Exchange what is at VA, by hand, so that nobody is told. @return what was there */
static x86pte_t
exchange(hat_t *hat, x86pte_t pte)
{
	uint_t i;
	htable_t *ht = htable_getpte(hat, VA, &i, NULL, 0);
	x86pte_t was = x86pte_get(ht, i);

	pte_store(x86pte_access_pagetable(ht, i), pte);
	x86pte_release_pagetable(ht);
	htable_release(ht);
	return (was);
}

static bool
remembers(int id)
{
	paddr_t pa;
	bool found;

	host_on(id);
	found = mmu_access(VA, 0, &pa) == 0;
	host_on(0);
	return (found);
}

static void
sleep(int id)
{
	host_on(id);
	tlb_going_idle();
	host_on(0);
}

static void
wake(int id)
{
	host_on(id);
	tlb_service();
	host_on(0);
}

/* ------------------------------------------------------------------ */

/** hs_tlb_invals is of user hats. */
static void
counted(hat_t *hat)
{
	ulong_t before = hatstat.hs_tlb_invals;

	hat_tlb_inval(kas_hat, VA);
	expect(hatstat.hs_tlb_invals == before, "a flush of the kernel's was counted");
#ifdef DEBUG
	hat_tlb_inval(hat, VA);
	expect(hatstat.hs_tlb_invals == before + 1, "%lu flushes of a user's were counted", hatstat.hs_tlb_invals - before);
#endif
	(void)hat;
}

/** Any CPU may be the one that sleeps, and is let sleep. */
static void
asleep(void)
{
	for (int id = 0; id < 2; id++) {
		sleep(id);
		host_on(1 - id);
		hat_tlb_inval(kas_hat, VA);
		host_on(0);
		expect(cpu[id]->cpu_tlb_info == (TLB_CPU_HALTED | TLB_INVAL_ALL), "CPU %d sleeps, and has 0x%x to do", id,
		    cpu[id]->cpu_tlb_info);
		wake(id);
	}
}

/** The one that panics asks nobody else, and forgets all the same. */
static void
in_a_panic(hat_t *hat)
{
	hat_devload(hat, VA, PAGESIZE, FRAMES, RW, HAT_LOAD);
	for (uint_t all = 0; all < 2; all++) {
		x86pte_t pte;

		expect(remembers(0), "no page at 0x%lx", VA);
		pte = exchange(hat, 0);
		expect(remembers(0), "a CPU forgets by itself");
		panicstr = "a test";
		hat_tlb_inval(hat, all ? DEMAP_ALL_ADDR : VA);
		panicstr = NULL;
		expect(!remembers(0), "the CPU that panics remembers what it shall forget");
		(void)exchange(hat, pte);
	}
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
}

/* ------------------------------------------------------------------ a CPU that wakes in the middle */

#define WINDOW 32u /* instructions from looking at a CPU's word to exchanging it, or more */

static uint_t taken, wake_at; /* instructions of the flush, until CPU 1 has been told or wakes */

static int
next(unsigned long pc)
{
	(void)pc;
	if (taken == wake_at)
		wake(1);
	if (taken == wake_at || (cpu[1]->cpu_tlb_info & TLB_INVAL_ALL))
		return (0);
	taken++;
	return (1);
}

static void
flush(void)
{
	hat_tlb_inval(kas_hat, VA);
}

static void
no_end(unsigned long pc)
{
	panic("a flush does not end (0x%lx): CPU 1 woke before its instruction %u", pc, wake_at);
}

/** CPU 1 sleeps, and wakes before instruction `n` of a flush, or behind it. */
static void
wake_before(uint_t n)
{
	x86pte_t pte;

	expect(remembers(1), "no page at 0x%lx", VA);
	pte = exchange(kas_hat, 0);
	sleep(1);
	taken = 0;
	wake_at = n;
	machine_step(flush, next);
	wake(1);
	expect(!remembers(1), "CPU 1 woke before instruction %u of a flush, and remembers", n);
	(void)exchange(kas_hat, pte);
}

/** Either a CPU finds, when it wakes, that it has to forget all, or the flush finds it awake. */
static void
wakes(void)
{
	uint_t last;

	hat_devload(kas_hat, VA, PAGESIZE, FRAMES, PROT_READ, HAT_LOAD_NOCONSIST);
	machine_patience(1000, no_end);
	wake_before(UINT32_MAX);
	last = taken;
	expect(last > 0, "nobody told CPU 1");
	for (uint_t n = last - MIN(last, WINDOW); n <= last; n++)
		wake_before(n);
	machine_patience(0, no_end);
	hat_unload(kas_hat, VA, PAGESIZE, HAT_UNLOAD);
}

void
shootdowns_run(hat_t *hat)
{
	counted(hat);
	asleep();
	in_a_panic(hat);
	wakes();
}
