/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of the ways to a table (spec 1.10): inside the hat, boot window, linear map, this CPU's page window.
 *
 * Which of the last two is used is the command line's choice on the 64-bit kernel (kpm=0); the 32-bit one has windows only.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <hat/htable_impl.h>
#include <sys/kmem.h>
#include <sys/thread.h>
#include <sys/windows.h>
#include <vm/as.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define VA    ((uintptr_t)0x00400000)
#define INDEX 5u

static struct as narrow = { .a_32bit = true };

static paddr_t
window_pte_pa(uint_t window)
{
	return (mmu.pwin_pte_pa + window * mmu.pte_size);
}

static x86pte_t
window_pte(uint_t window)
{
	x86pte_t e = 0;

	check_true(peek_phys(window_pte_pa(window), &e, mmu.pte_size), "the window table cannot be read");
	return (e);
}

/* One use of the page window: what holds while it is mapped. True if its entry was stored anew. */
static bool
use_window(htable_t *ht)
{
	uint_t window;
	int preempt = curthread->t_preempt;
	x86pte_t unused, now, want = MAKEPTE(ht->ht_pfn, 0) | PT_WRITABLE | mmu.pt_global | mmu.pt_nx;
	uintptr_t p;
	bool held, off;

	kpreempt_disable();
	window = 2 * CPU->cpu_id;
	unused = window_pte(window) & ~(PT_REF | PT_MOD); /* whoever stores it sets them */
	check_true(poke_phys(window_pte_pa(window), &unused, mmu.pte_size), "the window table cannot be written");
	p = (uintptr_t)x86pte_access_pagetable(ht, INDEX);
	held = MUTEX_HELD(&CPU->cpu_hat_info->hci_mutex);
	off = curthread->t_preempt == preempt + 2;
	now = window_pte(window);
	x86pte_release_pagetable(ht);
	check_eq(p, mmu.pwin_base + window * PAGESIZE + INDEX * mmu.pte_size, "address of an entry in the window");
	check_true(held && off, "mutex %s, preemption %s while a table is mapped in", held ? "held" : "free", off ? "off" : "on");
	check_eq(now & ~(PT_REF | PT_MOD), want, "the window's entry");
	check_true(!MUTEX_HELD(&CPU->cpu_hat_info->hci_mutex), "the window's mutex after release");
	kpreempt_enable();
	check_eq(curthread->t_preempt, preempt, "t_preempt after release");
	return ((now & PT_REF) != 0);
}

/* Alone on this machine, and nobody gets a turn: only then can the kernel believe to be booting for a moment. */
static void
use_boot_window(htable_t *ht)
{
	int preempt = curthread->t_preempt;
	ulong_t s = intr_save();
	uintptr_t p;

	khat_running = false;
	ptable_vbase = 0;
	p = (uintptr_t)x86pte_access_pagetable(ht, INDEX);
	x86pte_release_pagetable(ht);
	khat_running = true;
	ptable_vbase = kpm_vbase;
	intr_restore(s);
	check_eq(p, WINDOW_VA(WINDOW_BOOT) + INDEX * mmu.pte_size, "address of an entry in the boot window");
	check_eq(curthread->t_preempt, preempt, "t_preempt");
}

CHECK(routes, "routes", NULL, 0, 0, NULL, 0)
{
	htable_t *one = htable_create(hat, VA, 0, NULL), *two = htable_create(hat, VA + LEVEL_SIZE(1), 0, NULL);

	if (kpm_vbase != 0) {
		check_eq((uintptr_t)x86pte_access_pagetable(one, INDEX),
		    kpm_vbase + (uintptr_t)pfn_to_pa(one->ht_pfn) + INDEX * mmu.pte_size, "address in the linear map");
		x86pte_release_pagetable(one);
	} else {
		(void)use_window(two);
		check_true(use_window(one), "another table, and the window's entry was not stored");
		check_true(!use_window(one), "the same table again, and the window's entry was stored");
	}
	check_note("route: %s", kpm_vbase != 0 ? "linear map" : "page window");
	if (ncpus < 2)
		use_boot_window(one);
	htable_release(two);
	htable_release(one);
}

CHECK(routes_vlp, "routes-vlp", NULL, 0, 0, NULL, 0)
{
	hat_t *h = hat_alloc(&narrow);
	int preempt = curthread->t_preempt;

	(void)hat;
	if (h->hat_flags & HAT_VLP) {
		check_eq((uintptr_t)x86pte_access_pagetable(h->hat_htable, 1), (uintptr_t)&h->hat_vlp_ptes[1],
		    "an entry inside the hat");
		check_eq(curthread->t_preempt, preempt, "t_preempt");
		x86pte_release_pagetable(h->hat_htable);
	}
	hat_free_start(h);
	hat_free_end(h);
}

CHECK(routes_cpu, "routes-cpu", NULL, 0, 0, NULL, 0)
{
	cpu_t *c = kmem_zalloc(sizeof(*c), KM_SLEEP);

	(void)hat;
	x86pte_cpu_init(c);
	check_true(c->cpu_hat_info != NULL, "no hat_cpu_info");
	check_true(c->cpu_hat_info->hci_mutex.m_owner == NULL && c->cpu_hat_info->hci_vlp_slots == NULL, "not zeroed");
	x86pte_cpu_fini(c);
	check_eq((uintptr_t)c->cpu_hat_info, 0, "cpu_hat_info afterwards");
	kmem_free(c, sizeof(*c));
}
