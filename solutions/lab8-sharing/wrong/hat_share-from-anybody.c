/* notices: share-refused */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Show another address space's tables.
 */
#include <hat/htable_impl.h>
#include <vm/page.h>

/** What is being shared. */
struct share {
	hat_t *hat;
	uintptr_t va;
	uintptr_t src_va, src_end;
	bool pageable;
};

/** The client's address of a source's. */
static uintptr_t
client_va(const struct share *s, uintptr_t src_va)
{
	return (s->va + (src_va - s->src_va));
}

static bool
all_leaves(htable_t *src)
{
	for (uint_t i = 0; i < HTABLE_NUM_PTES(src); i++)
		if (!PTE_ISPAGE(x86pte_get(src, i), src->ht_level))
			return (false);
	return (true);
}

/** May the client use the table itself, whose leaf at `leaf` has just been found? */
static bool
fits(const struct share *s, htable_t *src, uintptr_t leaf)
{
	level_t l = src->ht_level;

	if (l >= TOP_LEVEL(s->hat) || l >= TOP_LEVEL(src->ht_hat) || (src->ht_flags & HTABLE_SHARED_PFN))
		return (false);
	if (leaf != src->ht_vaddr || leaf < s->src_va || s->src_end - leaf < LEVEL_SIZE(l + 1))
		return (false);
	if ((client_va(s, leaf) & LEVEL_OFFSET(l + 1)) != 0)
		return (false);
	return (l == 0 || (!s->pageable && all_leaves(src)));
}

/** What the client's table counts is a copy of what the source's counts. */
static void
copy_count(htable_t *ht)
{
	int32_t more = ht->ht_shares->ht_valid_cnt - ht->ht_valid_cnt;

	ASSERT(ht->ht_valid_cnt + more > 0);
	(void)atomic_add_int(&ht->ht_valid_cnt, more);
	atomic_add_long(&ht->ht_hat->hat_ism_pgcnt, (long)more << (LEVEL_SHIFT(ht->ht_level) - PAGESHIFT));
}

/**
 * Share the table if the client has it already or it fits. A private table may be there, even one that appeared just now: what
 * htable_create() gives is looked at (C-42).
 */
static bool
share_table(const struct share *s, htable_t *src, uintptr_t leaf)
{
	uintptr_t va = client_va(s, MAX(leaf, s->src_va));
	htable_t *ht = NULL;
	bool shared;

	if (src->ht_level < TOP_LEVEL(s->hat))
		ht = htable_lookup(s->hat, va, src->ht_level);
	if (ht == NULL && fits(s, src, leaf))
		ht = htable_create(s->hat, va, src->ht_level, src);
	if (ht == NULL)
		return (false);
	if (ht->ht_shares != NULL && ht->ht_shares != src)
		panic("hat_share: table %p shares from %p, not from %p", (void *)ht, (void *)ht->ht_shares, (void *)src);
	shared = ht->ht_shares == src;
	if (shared)
		copy_count(ht);
	htable_release(ht);
	return (shared);
}

static uint_t
attr_of(x86pte_t pte)
{
	return (PROT_READ | HAT_STORECACHING_OK | (pte & PT_WRITABLE ? PROT_WRITE : 0) | (pte & PT_USER ? PROT_USER : 0) |
	    (pte & PT_NX ? 0 : PROT_EXEC));
}

/** Map the part of one leaf that lies in the range, with pages of at most its size. */
static void
load_leaf(const struct share *s, uintptr_t leaf, level_t max, x86pte_t pte)
{
	uintptr_t from = MAX(leaf, s->src_va);
	size_t len = MIN(LEVEL_SIZE(max) - (from - leaf), s->src_end - from);
	pfn_t pfn = PTE2PFN(pte, max) + ((from - leaf) >> PAGESHIFT);
	uint_t flags = s->pageable ? HAT_LOAD : HAT_LOAD_LOCK | HAT_LOAD_NOCONSIST;
	uintptr_t va = client_va(s, from);

	while (len > 0) {
		level_t l = MIN(lpage_level(s->hat, va, pfn, len), max);
		page_t *pp = s->pageable ? page_numtopp_nolock(pfn) : NULL;
		size_t size = LEVEL_SIZE(lpage_load(s->hat, va, pp, attr_of(pte), flags, l, pfn));

		va += size;
		pfn += size >> PAGESHIFT;
		len -= size;
	}
}

int
hat_share(hat_t *hat, uintptr_t va, hat_t *src, uintptr_t src_va, size_t len, uint_t szc)
{
	struct share s = { hat, va, src_va, src_va + len, as_pageable(hat->hat_as, va) };
	htable_t *ht = NULL;
	x86pte_t pte;

	(void)szc;
	if (!hat_range_ok(hat, va, len) || !hat_range_ok(src, src_va, len))
		return (0);
	if (hat == src || hat == kas_hat)
		return (0);
	while (src_va < s.src_end && (pte = htable_walk(src, &ht, &src_va, s.src_end)) != 0) {
		level_t l = ht->ht_level;

		if (share_table(&s, ht, src_va)) {
			src_va = NEXT_ENTRY_VA(src_va, l + 1);
		} else {
			load_leaf(&s, src_va, l, pte);
			src_va += LEVEL_SIZE(l);
		}
	}
	htable_release(ht);
	return (0);
}
