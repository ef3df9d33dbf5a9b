/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Physical pages: one page_t each, one free list in ascending order, locks and accounting.
 */
#include <vm/page.h>
#include <boot/boot.h>
#include <hat/mmu.h>
#include <sys/atomic.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/thread.h>
#include <sys/tunable.h>

volatile ulong_t freemem;
ulong_t throttlefree;
ulong_t physmem;
volatile ulong_t availrmem;

uint64_t page_fail_after;
TUNABLE_NUMBER(page_fail_after, "page_fail_after", "let every n-th request for a page fail (0: none)");

static page_t *pages; /* one per frame from first_pfn on, holes included */
static pfn_t first_pfn, npages;
static page_t *free_list;
static spinlock_t free_lock;
static uint64_t fail_count;
static kmutex_t wait_lock; /* of page locks that somebody waits for */
static kcondvar_t wait_cv;
static volatile uint32_t nwaiters;

static void wake_waiters(void);

#define LOWMEM 0x100000u /* below 1 MiB: BIOS data, the other CPUs' entry code; left alone */

page_t *
page_numtopp_nolock(pfn_t pfn)
{
	page_t *pp;

	if (pfn < first_pfn || pfn - first_pfn >= npages)
		return (NULL);
	pp = &pages[pfn - first_pfn];
	return (pp->p_pagenum == pfn ? pp : NULL); /* holes in memory have no frame number */
}

pfn_t
page_none_run(pfn_t pfn, pfn_t most)
{
	if (pfn < first_pfn)
		return (MIN(first_pfn - pfn, most));
	return (pfn - first_pfn >= npages ? most : 0);
}

page_t *
page_next(page_t *pp)
{
	page_t *next = pp == NULL ? pages : pp + 1;

	while (next < pages + npages && next->p_pagenum == PFN_INVALID)
		next++;
	return (next < pages + npages ? next : NULL);
}

page_t *
page_array(ulong_t *n)
{
	*n = npages;
	return (pages);
}

static pfn_t
group_pages(level_t szc)
{
	return ((pfn_t)1 << (LEVEL_SHIFT(szc) - PAGESHIFT));
}

page_t *
page_leader(page_t *pp, level_t szc)
{
	page_t *leader = page_numtopp_nolock(ROUNDDOWN(pp->p_pagenum, group_pages(szc)));

	ASSERT(leader != NULL);
	return (leader);
}

static void
push_free(page_t *pp)
{
	pp->p_state = PAGE_FREE;
	pp->p_prev = NULL;
	pp->p_next = free_list;
	if (free_list != NULL)
		free_list->p_prev = pp;
	free_list = pp;
	freemem++;
}

static void
take_free(page_t *pp, int state)
{
	ASSERT(pp->p_state == PAGE_FREE && pp->p_selock == 0);
	if (pp->p_next != NULL)
		pp->p_next->p_prev = pp->p_prev;
	if (pp->p_prev != NULL)
		pp->p_prev->p_next = pp->p_next;
	else
		free_list = pp->p_next;
	pp->p_next = pp->p_prev = NULL;
	pp->p_state = state;
	pp->p_selock = -1;
	freemem--;
}

static void
init_range(const boot_range_t *r)
{
	for (paddr_t pa = r->br_end; pa > r->br_start; pa -= PAGESIZE) {
		pfn_t pfn = pa_to_pfn(pa) - 1;
		page_t *pp = &pages[pfn - first_pfn];

		pp->p_pagenum = pfn;
		physmem++;
		if (pfn < pa_to_pfn(LOWMEM) || boot_owns(pfn_to_pa(pfn)))
			pp->p_state = PAGE_BOOT;
		else
			push_free(pp); /* descending, so that the list hands out ascending frames */
	}
}

void
page_init(void)
{
	size_t size;

	first_pfn = pa_to_pfn(bootinfo.bi_ram[0].br_start);
	npages = pa_to_pfn(bootinfo.bi_ram[bootinfo.bi_nram - 1].br_end) - first_pfn;
	size = npages * sizeof(page_t);
	pages = boot_alloc(size);
	boot_memory_close();
	for (pfn_t i = 0; i < npages; i++)
		pages[i].p_pagenum = PFN_INVALID;
	for (int i = bootinfo.bi_nram - 1; i >= 0; i--)
		init_range(&bootinfo.bi_ram[i]);
	availrmem = freemem;
	throttlefree = MIN(freemem / 64, 64ul);
}

/** A page that boot took after page_init(): off the free list it comes. */
page_t *
boot_claim_page(pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);
	ulong_t s;

	if (pp == NULL)
		return (NULL);
	s = spin_enter(&free_lock);
	if (pp->p_state == PAGE_FREE)
		take_free(pp, PAGE_TABLE);
	else if (pp->p_state == PAGE_BOOT && pp->p_selock == 0)
		pp->p_selock = -1;
	else
		pp = NULL;
	spin_exit(&free_lock, s);
	if (pp != NULL)
		pp->p_state = PAGE_TABLE;
	return (pp);
}

static bool
fail_on_purpose(void)
{
	return (page_fail_after != 0 && ++fail_count % page_fail_after == 0);
}

page_t *
page_get(int state)
{
	page_t *pp;
	ulong_t s;

	if (fail_on_purpose())
		return (NULL);
	s = spin_enter(&free_lock);
	pp = free_list;
	if (pp != NULL)
		take_free(pp, state);
	spin_exit(&free_lock, s);
	return (pp);
}

static bool
all_free(pfn_t pfn, uint_t n)
{
	for (uint_t i = 0; i < n; i++) {
		page_t *pp = page_numtopp_nolock(pfn + i);

		if (pp == NULL || pp->p_state != PAGE_FREE)
			return (false);
	}
	return (true);
}

page_t *
page_get_large(int state, uint_t n)
{
	pfn_t end = first_pfn + npages, pfn;
	uint8_t szc = mmu.max_page_level;
	ulong_t s;

	while (szc > 0 && group_pages(szc) > n)
		szc--;
	s = spin_enter(&free_lock);
	for (pfn = ROUNDUP(first_pfn, (pfn_t)n); pfn + n <= end && !all_free(pfn, n); pfn += n)
		continue;
	for (uint_t i = 0; pfn + n <= end && i < n; i++) {
		take_free(&pages[pfn + i - first_pfn], state);
		pages[pfn + i - first_pfn].p_szc = szc;
	}
	spin_exit(&free_lock, s);
	return (pfn + n <= end ? &pages[pfn - first_pfn] : NULL);
}

page_t *
page_get_physical(uintptr_t seed)
{
	page_t *pp;

	(void)seed;
	if (!page_resv(1, true))
		return (NULL);
	pp = page_get(PAGE_TABLE);
	if (pp == NULL) {
		page_unresv(1);
		return (NULL);
	}
	page_downgrade(pp);
	return (pp);
}

void
page_free(page_t *pp, int dontneed)
{
	ulong_t s;

	(void)dontneed;
	ASSERT(PAGE_EXCL(pp));
	ASSERT(pp->p_mapping == NULL);
	s = spin_enter(&free_lock);
	pp->p_nrm = 0;
	pp->p_szc = 0;
	pp->p_flags = 0;
	pp->p_selock = 0;
	push_free(pp);
	spin_exit(&free_lock, s);
	wake_waiters();
}

/* ------------------------------------------------------------------ locks */

static bool
change_lock(page_t *pp, int32_t from, int32_t to)
{
	return (atomic_cas_32((volatile uint32_t *)&pp->p_selock, (uint32_t)from, (uint32_t)to) == (uint32_t)from);
}

bool
page_trylock(page_t *pp, bool exclusive)
{
	int32_t now = pp->p_selock;

	if (exclusive)
		return (now == 0 && change_lock(pp, 0, -1));
	return (now >= 0 && change_lock(pp, now, now + 1));
}

/** That a page is free, and its lock: who asks for both at once never holds a page that has just been freed. */
static bool
try_unless_gone(page_t *pp, bool exclusive, bool reclaim, bool *gone)
{
	ulong_t s = spin_enter(&free_lock);
	bool mine;

	*gone = !reclaim && pp->p_state == PAGE_FREE;
	mine = !*gone && page_trylock(pp, exclusive);
	spin_exit(&free_lock, s);
	return (mine);
}

/*
 * Whoever finds a page locked sleeps, all of them on one condition variable: it is rare. A waiter counts itself before it looks at
 * the lock, whoever gives a lock back does that before it looks at the count, so one of the two sees the other.
 */
bool
page_lock(page_t *pp, bool exclusive, bool reclaim)
{
	bool gone, mine = try_unless_gone(pp, exclusive, reclaim, &gone);

	if (mine || gone)
		return (mine);
	mutex_enter(&wait_lock);
	atomic_inc_32(&nwaiters);
	while (!(mine = try_unless_gone(pp, exclusive, reclaim, &gone)) && !gone)
		cv_wait(&wait_cv, &wait_lock);
	atomic_dec_32(&nwaiters);
	mutex_exit(&wait_lock);
	return (mine);
}

static void
wake_waiters(void)
{
	if (nwaiters == 0)
		return;
	mutex_enter(&wait_lock); /* a waiter is asleep by now, or will look again */
	cv_broadcast(&wait_cv);
	mutex_exit(&wait_lock);
}

void
page_unlock(page_t *pp)
{
	int32_t now;

	do
		now = pp->p_selock;
	while (!change_lock(pp, now, now == -1 ? 0 : now - 1));
	ASSERT(now != 0);
	wake_waiters();
}

bool
page_tryupgrade(page_t *pp)
{
	ASSERT(PAGE_SHARED(pp));
	return (change_lock(pp, 1, -1));
}

void
page_downgrade(page_t *pp)
{
	ASSERT(PAGE_EXCL(pp));
	(void)change_lock(pp, -1, 1);
	wake_waiters();
}

/* ------------------------------------------------------------------ accounting */

bool
page_resv(ulong_t n, bool nosleep)
{
	for (;;) {
		ulong_t now = availrmem;

		if (now >= n) {
			if (atomic_cas_long(&availrmem, now, now - n) == now)
				return (true);
		} else if (nosleep) {
			return (false);
		} else {
			kmem_reap();
			thread_yield();
		}
	}
}

void
page_unresv(ulong_t n)
{
	atomic_add_long(&availrmem, (long)n);
}
