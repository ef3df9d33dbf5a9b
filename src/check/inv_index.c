/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Finding tables of the snapshot by their address and by the place they cover, without looking at all of them.
 */
#include <check/inv_impl.h>

#define NBUCKETS 256u

/* Chains through it_same_addr and it_same_place, in the order of the snapshot: the first of several equal ones is found first. */
static inv_table_t *by_addr[NBUCKETS], *by_place[NBUCKETS];

static uint_t
addr_bucket(const htable_t *addr)
{
	return ((uint_t)((uintptr_t)addr / sizeof(htable_t)) % NBUCKETS);
}

/* By hat and base alone: where a level is wrong the table must still be found. */
static uint_t
place_bucket(const inv_hat_t *h, uintptr_t base)
{
	return ((uint_t)((base >> mmu.level_shift[1]) + (base >> (mmu.level_shift[1] + 8)) + (uintptr_t)(h - inv.hats) * 37) %
	    NBUCKETS);
}

void
inv_index(void)
{
	for (uint_t i = 0; i < NBUCKETS; i++)
		by_addr[i] = by_place[i] = NULL;
	for (uint_t i = inv.ntables; i-- > 0;) {
		inv_table_t *t = &inv.tables[i], **a = &by_addr[addr_bucket(t->it_addr)];
		inv_table_t **p = &by_place[place_bucket(t->it_hat, t->it_ht.ht_vaddr)];

		if (t->it_cached)
			continue;
		t->it_same_addr = *a;
		*a = t;
		t->it_same_place = *p;
		*p = t;
	}
}

inv_table_t *
inv_next_at(const inv_hat_t *h, uintptr_t base, const inv_table_t *after)
{
	inv_table_t *t = after == NULL ? by_place[place_bucket(h, base)] : after->it_same_place;

	while (t != NULL && (t->it_hat != h || t->it_ht.ht_vaddr != base))
		t = t->it_same_place;
	return (t);
}

inv_table_t *
inv_find(const inv_hat_t *h, uintptr_t base, level_t level)
{
	inv_table_t *t = inv_next_at(h, base, NULL);

	while (t != NULL && t->it_ht.ht_level != level)
		t = inv_next_at(h, base, t);
	return (t);
}

inv_table_t *
inv_by_addr(const htable_t *addr)
{
	inv_table_t *t = by_addr[addr_bucket(addr)];

	while (t != NULL && t->it_addr != addr)
		t = t->it_same_addr;
	return (t);
}
