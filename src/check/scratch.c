/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Raw entries, and pages and addresses drawn from the seed.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/scratch.h>

#define DRAWN 8u                   /* check_page() chooses among so many */
#define LOW   ((uintptr_t)4 << 20) /* below it, boot's and the kernel's own things are easily hit by accident */

x86pte_t
raw_entry(const htable_t *ht, uint_t entry)
{
	x86pte_t e = 0;

	if (ht->ht_flags & HTABLE_VLP)
		return (ht->ht_hat->hat_vlp_ptes[entry]);
	check_true(peek_phys(pfn_to_pa(ht->ht_pfn) + entry * mmu.pte_size, &e, mmu.pte_size), "no memory at table frame 0x%lx",
	    ht->ht_pfn);
	return (e);
}

void
put_raw(const htable_t *ht, uint_t entry, x86pte_t e)
{
	if (ht->ht_flags & HTABLE_VLP)
		ht->ht_hat->hat_vlp_ptes[entry] = e;
	else
		check_true(poke_phys(pfn_to_pa(ht->ht_pfn) + entry * mmu.pte_size, &e, mmu.pte_size),
		    "no memory at table frame 0x%lx", ht->ht_pfn);
}

page_t *
check_page(void)
{
	page_t *drawn[DRAWN];
	uint_t take = (uint_t)check_random(DRAWN);

	for (uint_t i = 0; i <= take; i++) {
		drawn[i] = page_get(PAGE_USER);
		check_true(drawn[i] != NULL, "no page left");
	}
	for (uint_t i = 0; i < take; i++)
		page_free(drawn[i], 0);
	return (drawn[take]);
}

x86pte_t
check_leaf(const page_t *pp, x86pte_t bits)
{
	return (MAKEPTE(pp->p_pagenum, 0) | PT_USER | bits);
}

/* Below this, no table but the top one has a slot of the kernel's. */
static uintptr_t
private_end(void)
{
	return (userlimit & ~(LEVEL_SIZE(mmu.max_level) - 1));
}

#define DRAWN_MAX 16  /* addresses that one check may expect to be apart */
#define TRIES     100 /* where there are few places of a size, in vain */

/* Addresses that the check has drawn so far, and what each is the first of. */
static struct {
	uintptr_t va, size;
} drawn[DRAWN_MAX];
static uint_t ndrawn;

void
scratch_start(void)
{
	ndrawn = 0;
}

/* Would they need the same lowest table, or overlap? */
static bool
near_drawn(uintptr_t va, uintptr_t size)
{
	for (uint_t i = 0; i < ndrawn; i++)
		if (va < drawn[i].va + drawn[i].size && drawn[i].va < va + size)
			return (true);
	return (false);
}

/* The hole is most of the address space: drawn as if it were not there. */
static uintptr_t
draw_va(level_t level)
{
	bool hole = mmu.hole_start < private_end();
	uintptr_t skip = hole ? mmu.hole_end - mmu.hole_start + 1 : 0, va;

	do {
		va = (uintptr_t)check_random((private_end() - skip) >> LEVEL_SHIFT(level)) << LEVEL_SHIFT(level);
	} while (va < LOW);
	return (hole && va >= mmu.hole_start ? va + skip : va);
}

uintptr_t
check_va(level_t level)
{
	uintptr_t size = LEVEL_SIZE(MAX(level, 1)), va = draw_va(level);

	for (uint_t i = 0; i < TRIES && near_drawn(va & ~(size - 1), size); i++)
		va = draw_va(level);
	if (ndrawn < DRAWN_MAX) {
		drawn[ndrawn].va = va & ~(size - 1);
		drawn[ndrawn++].size = size;
	}
	return (va);
}
