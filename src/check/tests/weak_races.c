/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief More checks of weak points (weak.c): those where somebody else comes in between. Two CPUs meet at all distances.
 */
#include <check/check.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/atomic.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define VA     ((uintptr_t)0x40000000)
#define RW     (PROT_READ | PROT_WRITE)
#define DELAYS 12u
#define TURNS  60u

/** The other side of a race: a thread on CPU 1 that does one thing over and over. */
static struct {
	void (*step)(void);
	kthread_t *thread;
	volatile uint_t delay, turns;
	volatile bool stop;
} other;

static void
wait_a_little(uint_t n)
{
	while (n-- > 0)
		__asm__ volatile("" : : : "memory");
}

static void
other_main(void *arg)
{
	(void)arg;
	while (!other.stop) {
		other.step();
		other.turns++;
		wait_a_little(other.delay);
	}
}

static void
other_start(void (*step)(void))
{
	other.step = step;
	other.stop = false;
	other.turns = 0;
	other.thread = thread_create_on(cpu[1], "other", other_main, NULL);
	while (other.turns == 0)
		thread_yield();
}

static void
other_stop(void)
{
	other.stop = true;
	thread_join(other.thread);
}

/** Our side, at all distances from the other. @return step()'s first result that is not 0 */
static x86pte_t
meet(x86pte_t (*step)(void))
{
	x86pte_t bad = 0;

	for (uint_t i = 0; i < DELAYS * DELAYS && bad == 0; i++) {
		other.delay = i / DELAYS;
		for (uint_t turn = 0; turn < TURNS && bad == 0; turn++) {
			bad = step();
			wait_a_little(i % DELAYS);
		}
	}
	return (bad);
}

/* ------------------------------------------------------------------ entries stored in halves */

#define HERE  (0x1111111011111000ull | PT_VALID)
#define THERE (0x2222222022222000ull | PT_VALID)

static x86pte_t entry ALIGNED(8);

static void
store_both(void)
{
	pte_store(&entry, HERE);
	pte_store(&entry, THERE);
}

/** A walk: what it sees is present and whole, or not present. */
static x86pte_t
see_entry(void)
{
	x86pte_t e = atomic_cas_64(&entry, 0, 0); /* all of it, whatever pte_load() may do */

	return (PTE_ISVALID(e) && e != HERE && e != THERE ? e : 0);
}

/** C-18: no walk finds a present entry with half of an address. */
CHECK(store_order, "store-order", NULL, 0, 0, NULL, 0)
{
	x86pte_t bad;

	(void)hat;
	if (ncpus < 2 || !mmu.pae_hat)
		return;
	entry = HERE;
	other_start(store_both);
	bad = meet(see_entry);
	other_stop();
	check_eq(bad, 0, "a present entry that nobody has stored");
}

/* ------------------------------------------------------------------ flags that several change */

static hat_t *flags_hat;
static page_t *flags_page;
static volatile uint_t flags_lost;

/** What a stealer does to a hat that it looks at. */
static void
mark_and_unmark(void)
{
	mutex_enter(&hat_list_lock);
	atomic_or_32(&flags_hat->hat_flags, HAT_VICTIM);
	wait_a_little(other.delay);
	atomic_and_32(&flags_hat->hat_flags, ~(uint32_t)HAT_VICTIM);
	mutex_exit(&hat_list_lock);
	flags_lost += (*(volatile uint32_t *)&flags_hat->hat_flags & HAT_VICTIM) != 0;
}

/** Loading something to be shared marks the hat too, and holds no lock that a stealer has. */
static x86pte_t
load_shared(void)
{
	atomic_and_32(&flags_hat->hat_flags, ~(uint32_t)HAT_SHARED);
	hat_memload(flags_hat, VA, flags_page, RW, HAT_LOAD_SHARE);
	return (flags_lost + !(*(volatile uint32_t *)&flags_hat->hat_flags & HAT_SHARED));
}

/** C-14: two marks of one hat are changed at the same time, and none of the changes is lost. */
CHECK(flags_race, "flags-race", NULL, 0, 0, NULL, 0)
{
	uint32_t before = hat->hat_flags;
	x86pte_t bad;

	if (ncpus < 2)
		return;
	flags_hat = hat;
	flags_page = page_get(PAGE_USER);
	check_true(flags_page != NULL, "out of pages");
	flags_lost = 0;
	other_start(mark_and_unmark);
	bad = meet(load_shared);
	other_stop();
	atomic_and_32(&hat->hat_flags, ~(uint32_t)(HAT_SHARED | HAT_VICTIM));
	hat_unload(hat, VA, PAGESIZE, HAT_UNLOAD);
	page_free(flags_page, 1);
	check_eq(hat->hat_flags, before, "flags at the end");
	check_eq(bad, 0, "changes that were lost");
}

static volatile uint_t reaps;

static void
count_reap(void)
{
	HATSTAT_INC(hs_reap_attempts);
}

static x86pte_t
count_ours(void)
{
	HATSTAT_INC(hs_reap_attempts);
	reaps++;
	return (0);
}

/** C-25: statistics that two CPUs raise at the same time are raised by two. */
CHECK(stats_race, "stats-race", NULL, 0, 0, NULL, 0)
{
	ulong_t before = hatstat.hs_reap_attempts;

	(void)hat;
	if (ncpus < 2)
		return;
	reaps = 0;
	other_start(count_reap);
	(void)meet(count_ours);
	other_stop();
#ifdef DEBUG
	check_eq(hatstat.hs_reap_attempts - before, reaps + other.turns, "a counter that two CPUs have raised");
#else
	check_eq(hatstat.hs_reap_attempts, before, "a counter that nobody raises without DEBUG");
#endif
}

/* ------------------------------------------------------------------ windows */

/** C-20: a CPU's window lock ends with it. One that is held cannot: so we see that it was looked at. */
CHECK(cpu_fini, "cpu-fini", NULL, 0, 0, NULL, 0)
{
#ifdef DEBUG
	cpu_t *c = kmem_zalloc(sizeof(*c), KM_SLEEP);
	struct hat_cpu_info *hci;
	char text[160] = "";
	bool stopped;

	(void)hat;
	x86pte_cpu_init(c);
	hci = c->cpu_hat_info;
	mutex_enter(&hci->hci_mutex);
	stopped = check_panics((void (*)(void *))x86pte_cpu_fini, c, text, sizeof(text));
	if (MUTEX_HELD(&hci->hci_mutex)) /* who panics holds no lock any more */
		mutex_exit(&hci->hci_mutex);
	kmem_free(c, sizeof(*c));
	check_true(stopped, "a CPU's window lock was not destroyed, but forgotten");
	kmem_free(hci, sizeof(*hci));
#else
	(void)hat;
#endif
}

static cpu_t *volatile window_cpu; /* who is to want its window; NULL: not known yet */
static volatile bool window_waits, window_done;

/** Wants the window of its CPU, which somebody else has, and may neither sleep nor be interrupted meanwhile. */
static void
want_window(void *arg)
{
	ulong_t s;

	while (window_cpu == NULL)
		thread_yield();
	if (window_cpu != arg)
		return;
	s = intr_save();
	kpreempt_disable();
	window_waits = true;
	mutex_enter(&CPU->cpu_hat_info->hci_mutex);
	window_done = true;
	mutex_exit(&CPU->cpu_hat_info->hci_mutex);
	kpreempt_enable();
	intr_restore(s);
}

/** C-32: a window's lock is waited for with preemption off. Its holder may make cross-calls, so those who wait answer them. */
CHECK(window_xcall, "window-xcall", NULL, 0, 0, NULL, 0)
{
	kthread_t *t[2];
	kmutex_t *m;
	bool both;

	(void)hat;
	if (ncpus < 2)
		return;
	window_cpu = NULL;
	window_waits = window_done = false;
	for (int i = 0; i < 2; i++)
		t[i] = thread_create_on(cpu[i], "window", want_window, cpu[i]);
	kpreempt_disable(); /* as whoever has a window; and from here on we know which CPU is ours */
	m = &cpu[CPU->cpu_id == 0]->cpu_hat_info->hci_mutex;
	mutex_enter(m);
	window_cpu = cpu[CPU->cpu_id == 0];
	while (!window_waits)
		pause();
	for (int i = 0; i < 10; i++)
		hat_tlb_inval(kas_hat, VA);
	both = window_done;
	mutex_exit(m);
	kpreempt_enable();
	for (int i = 0; i < 2; i++)
		thread_join(t[i]);
	check_true(!both, "two have one window");
	check_true(window_done, "the window was never got");
}

/* ------------------------------------------------------------------ top tables inside a hat */

/**
 * C-37: somebody changes a directory pointer while it is copied: then it is copied again. In trial images there is a copy
 * of pte_cas() called "contended", which fails every other time.
 */
CHECK(vlp_refresh, "vlp-refresh", NULL, 0, 0, NULL, 0)
{
	static struct as narrow = { .a_32bit = true };
	hat_t *h = hat_alloc(&narrow);
	htable_t *ht = htable_create(h, VA, 0, NULL);
	x86pte_t seen[VLP_NUM_PTES];

	(void)hat;
	if (h->hat_flags & HAT_VLP) {
		x86pte_t *slots;

		kpreempt_disable();
		slots = CPU->cpu_hat_info->hci_vlp_slots;
		for (uint_t i = 0; i < VLP_NUM_PTES; i++)
			pte_store(&slots[i], 0x1000 * i);
		(void)trial_begin(h, "pte_cas", "contended");
		hat_vlp_refresh(h);
		trial_end();
		for (uint_t i = 0; i < VLP_NUM_PTES; i++)
			seen[i] = pte_load(&slots[i]);
		kpreempt_enable();
		for (uint_t i = 0; i < VLP_NUM_PTES; i++)
			check_eq(seen[i], h->hat_vlp_ptes[i], "a directory pointer in the CPU's own copy");
	}
	htable_release(ht);
	hat_free_start(h);
	hat_free_end(h);
}
