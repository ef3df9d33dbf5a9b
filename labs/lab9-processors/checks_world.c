/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 9 play with. Reference code.
 */
#include "world.h"
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <sys/vmem.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

#define VA    ((uintptr_t)0x40600000)
#define FIRST 7u  /* the first address's page, counted from VA */
#define APART 19u /* pages from one address to the next */
#define SPAN  (NADDR * APART * PAGESIZE)

static struct {
	hat_t *hat;
	htable_t *ht;
	void *arena;    /* of the kernel's heap */
	uintptr_t heap; /* the kernel's first address; 0: a user hat */
	page_t *one, *two;
	uint32_t word[2];
} world;

uintptr_t
world_va(uint_t i)
{
	return ((world.heap != 0 ? world.heap : VA + FIRST * PAGESIZE) + i * APART * PAGESIZE);
}

static page_t *
page_with(uint32_t word)
{
	page_t *pp = check_page();

	check_true(poke_phys(pfn_to_pa(pp->p_pagenum), &word, sizeof(word)), "page 0x%lx", (ulong_t)pp->p_pagenum);
	return (pp);
}

static void
put_all(x86pte_t e)
{
	for (uint_t i = 0; i < NADDR; i++)
		put_raw(world.ht, htable_va2entry(world_va(i), world.ht), e);
}

/* As the HAT itself would map it: the kernel's entries are global. */
static x86pte_t
entry_for(const page_t *pp)
{
	x86pte_t e = MAKEPTE(pp->p_pagenum, 0) | mmu.pt_nx | PT_REF;

	return (world.heap != 0 ? e | mmu.pt_global : e | PT_USER);
}

/* Twice as much of the heap as is needed: one half of it does not reach from one table into the next. */
static void
world_heap(void)
{
	uintptr_t end;

	world.arena = vmem_alloc(heap_arena, 2 * SPAN, VM_SLEEP);
	world.heap = (uintptr_t)world.arena;
	end = (world.heap | LEVEL_OFFSET(1)) + 1;
	if (end - world.heap < SPAN)
		world.heap = end;
}

void
world_make(hat_t *hat)
{
	world.hat = hat;
	world.heap = 0;
	if (hat == kas_hat)
		world_heap();
	world.word[0] = (uint32_t)check_random(1u << 30) << 1;
	world.word[1] = world.word[0] + 1;
	world.one = page_with(world.word[0]);
	world.two = page_with(world.word[1]);
	world.ht = htable_create(hat, world_va(0), 0, NULL);
	put_all(entry_for(world.one));
	hat_setup(hat);
}

void
world_move(void)
{
	put_all(entry_for(world.two));
}

void
world_end(void)
{
	put_all(0);
	hat_tlb_inval(world.hat, DEMAP_ALL_ADDR);
	if (world.heap != 0) /* a reload leaves global ones */
		for (uint_t i = 0; i < NADDR; i++)
			hat_tlb_inval(world.hat, world_va(i));
	hat_setup(NULL);
	htable_release(world.ht);
	if (world.heap != 0)
		vmem_free(heap_arena, world.arena, 2 * SPAN);
	world.heap = 0;
	page_free(world.one, 0);
	page_free(world.two, 0);
}

static uint_t
reading(uint32_t want)
{
	uint_t set = 0;

	for (uint_t i = 0; i < NADDR; i++) {
		uint32_t word;

		if (peek((void *)world_va(i), &word, sizeof(word)) && word == want)
			set |= 1u << i;
	}
	return (set);
}

uint_t
world_old(void)
{
	return (reading(world.word[0]));
}

uint_t
world_new(void)
{
	return (reading(world.word[1]));
}

/* ------------------------------------------------------------------ somebody else */

enum order { NOTHING, READ_OLD, READ_NEW, SLEEP, WAKE, TOGGLE, CALM_DOWN, STOP };

static struct {
	hat_t *hat;
	kthread_t *thread; /* NULL: nobody is there */
	volatile enum order order;
	volatile uint_t given, done; /* how many orders */
	volatile uint_t set;         /* answer to the last one */
	x86pte_t *entry;
	bool toggling;
	ulong_t intr;
} peer;

/* Preemption is off: whoever switches away and back has an empty TLB. */
static void
peer_obey(void)
{
	switch (peer.order) {
	case READ_OLD:
		peer.set = world_old();
		break;
	case READ_NEW:
		peer.set = world_new();
		break;
	case SLEEP:
		peer.intr = intr_save();
		tlb_going_idle();
		break;
	case WAKE:
		tlb_service();
		intr_restore(peer.intr);
		break;
	case TOGGLE:
	case CALM_DOWN:
		peer.toggling = peer.order == TOGGLE;
		break;
	default:
		break;
	}
}

static void
peer_main(void *arg)
{
	(void)arg;
	hat_setup(peer.hat);
	kpreempt_disable();
	while (peer.order != STOP) {
		if (peer.toggling) {
			atomic_or_32((volatile uint32_t *)peer.entry, PT_REF);
			atomic_and_32((volatile uint32_t *)peer.entry, ~(uint32_t)PT_REF);
		}
		if (peer.given != peer.done) {
			peer_obey();
			peer.done = peer.given;
		}
		xc_poll();
		pause();
	}
	kpreempt_enable();
	hat_setup(NULL);
}

static void
tell(enum order order)
{
	if (peer.thread == NULL)
		return;
	peer.order = order;
	peer.given++;
	while (peer.done != peer.given)
		pause();
}

void
peer_start(hat_t *hat)
{
	peer.thread = NULL;
	if (ncpus < 2)
		return;
	peer.hat = hat;
	peer.order = NOTHING;
	peer.toggling = false;
	peer.done = 0;
	peer.given = 1;
	peer.thread = thread_create_on(cpu[1], "peer", peer_main, NULL);
	while (peer.done == 0)
		thread_yield();
}

void
peer_stop(void)
{
	if (peer.thread == NULL)
		return;
	peer.order = STOP;
	thread_join(peer.thread);
	peer.thread = NULL;
}

uint_t
peer_old(void)
{
	peer.set = 0;
	tell(READ_OLD);
	return (peer.set);
}

uint_t
peer_new(void)
{
	peer.set = ALL;
	tell(READ_NEW);
	return (peer.set);
}

void
peer_sleep(void)
{
	tell(SLEEP);
}

void
peer_wake(void)
{
	tell(WAKE);
}

void
peer_toggle(x86pte_t *entry)
{
	peer.entry = entry;
	tell(TOGGLE);
}

void
peer_calm(void)
{
	tell(CALM_DOWN);
}
