/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 8 share. Reference code.
 */
#include "origin.h"
#include <check/guard.h>
#include <check/outside.h>
#include <check/scratch.h>
#include <sys/printf.h>
#include <sys/string.h>

#define RWU (PROT_READ | PROT_WRITE | PROT_USER)

struct origin origin;

uintptr_t
room_for(uint_t n)
{
	for (;;) {
		uintptr_t va = check_va(1), last = va + n * LEVEL_SIZE(1) - 1;

		if (last < userlimit && (mmu.max_level < 2 || ((va ^ last) & LEVEL_MASK(2)) == 0))
			return (va);
	}
}

htable_t *
table_over(hat_t *hat, uintptr_t va)
{
	htable_t *ht = htable_lookup(hat, va, 0);

	htable_release(ht);
	return (ht);
}

void
origin_make(void)
{
	uint_t n = mmu.ptes_per_table;
	uint_t at[NPAGES] = { 0, 3, n - 1, n + 2, n + 5 };

	origin.shared = hatstat.hs_htable_shared;
	origin.unshared = hatstat.hs_htable_unshared;
	origin.hat = hat_alloc(NULL);
	origin.va = room_for(2);
	for (uint_t i = 0; i < NPAGES; i++) {
		origin.at[i] = at[i];
		origin.page[i] = check_page();
		hat_memload(origin.hat, origin.va + at[i] * PAGESIZE, origin.page[i], RWU, HAT_LOAD_SHARE);
	}
	origin.a = table_over(origin.hat, origin.va);
	origin.b = table_over(origin.hat, origin.va + LEVEL_SIZE(1));
	origin.a_busy = origin.a->ht_busy;
	origin.b_busy = origin.b->ht_busy;
}

void
origin_end(bool force)
{
	if (force) {
		origin.a->ht_busy = origin.a_busy;
		origin.b->ht_busy = origin.b_busy;
		hatstat.hs_htable_shared = origin.shared;
		hatstat.hs_htable_unshared = origin.unshared;
	}
	hat_unload(origin.hat, origin.va, 2 * LEVEL_SIZE(1), HAT_UNLOAD);
	hat_free_start(origin.hat);
	hat_free_end(origin.hat);
	for (uint_t i = 0; i < NPAGES; i++)
		page_free(origin.page[i], 0);
}

void
origin_rescue(void)
{
	origin_end(true);
}

x86pte_t
origin_leaf(uint_t i)
{
	htable_t *ht = i < IN_A ? origin.a : origin.b;

	return (raw_entry(ht, origin.at[i] % mmu.ptes_per_table) & ~(x86pte_t)(PT_REF | PT_MOD));
}

x86pte_t
single_leaf(hat_t *client, uintptr_t va, uint_t i)
{
	return (
	    hati_mkpte(client, va, origin.page[i]->p_pagenum, RWU | HAT_STORECACHING_OK, 0, HAT_LOAD_LOCK | HAT_LOAD_NOCONSIST));
}

/* ------------------------------------------------------------------ what was seen */

static char noted[160];

void
note_start(void)
{
	noted[0] = '\0';
}

void
note_eq(uint64_t have, uint64_t want, const char *what)
{
	if (have != want && noted[0] == '\0')
		snprintf(
		    noted, sizeof(noted), "%s: have 0x%llx, want 0x%llx", what, (unsigned long long)have, (unsigned long long)want);
}

bool
note_wrong(void)
{
	return (noted[0] != '\0');
}

void
note_end(void)
{
	check_true(noted[0] == '\0', "%s", noted);
}

static hat_t *outside_hat;

static void
outside(void)
{
	check_outside(outside_hat);
}

void
note_outside(hat_t *hat, void (*undo)(void))
{
	outside_hat = hat;
	if (!note_wrong())
		check_guarded(outside, undo);
}
