/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Invariants E4-E7, F7: leaves and the records of them in their pages' mapping lists.
 *
 * Lists are read where they are, with peek() and with an end, and no lock: nobody is inside the HAT.
 */
#include <check/invariants.h>
#include <check/inv_impl.h>
#include <hat/hment.h>
#include <sys/peek.h>

#define MAX_TRACED  1024u
#define MAX_RECORDS (1u << 16) /**< of one page; a longer list comes back to itself */

/** Pages whose lists were broken when a hat was given up are its loss (invariants_abandon()). */
static bool
is_lost(const page_t *pp)
{
	return ((pp->p_flags & PAGE_LOST) != 0);
}

/* ------------------------------------------------------------------ one page's list */

/** What is said about a page; NULL: nothing. `fn` is asked about each record. */
typedef const char *record_fn(const page_t *pp, const hment_t *hm);

static const char *
for_list(const page_t *pp, record_fn *fn)
{
	const hment_t *p = pp->p_mapping, *prev = NULL;
	const char *wrong = NULL;
	hment_t hm;
	uint_t n = 0;

	for (; p != NULL && wrong == NULL; prev = p, p = hm.hm_next) {
		if (++n > MAX_RECORDS || !peek(p, &hm, sizeof(hm)))
			return ("the list has no end, or leads to something that is no record");
		if (hm.hm_prev != prev)
			return ("the list's links do not agree");
		wrong = fn(pp, &hm);
	}
	if (wrong == NULL && n != pp->p_share)
		wrong = "p_share is not the length of the list";
	return (wrong);
}

static const char *
for_records(const page_t *pp, record_fn *fn)
{
	hment_t one = { .hm_htable = pp->p_mapping, .hm_entry = pp->p_mlentry };

	if (pp->p_mapping == NULL)
		return (NULL);
	return (pp->p_embed ? fn(pp, &one) : for_list(pp, fn));
}

static const char *
is_leaf_of_page(const page_t *pp, const hment_t *hm)
{
	inv_table_t *t = inv_by_addr(hm->hm_htable);
	x86pte_t e;

	if (t == NULL)
		return ("a record names a table that is not linked");
	if (t->it_ht.ht_flags & HTABLE_SHARED_PFN)
		return ("a record names a shared table");
	if (hm->hm_entry >= inv_nentries(t) || !inv_read(t, hm->hm_entry, &e))
		return ("a record names an entry that cannot be read");
	if (!inv_leaf(t, e) || (e & PT_SOFTWARE) >= PT_NOCONSIST || PTE2PFN(e, t->it_ht.ht_level) != pp->p_pagenum)
		return ("a record names an entry that does not map the page, or is marked as not recorded");
	return (NULL);
}

static const char *
is_hashed(const page_t *pp, const hment_t *hm)
{
	const hment_t *p = hment_hash_table[hment_hash(hm->hm_pfn, hm->hm_entry)];
	htable_t ht;
	hment_t copy;

	(void)pp;
	if (peek(hm->hm_htable, &ht, sizeof(ht)) && ht.ht_pfn != hm->hm_pfn)
		return ("a record is hashed by a frame that is not its table's");
	for (uint_t n = 0; p != NULL && n < MAX_RECORDS && peek(p, &copy, sizeof(copy)); n++, p = copy.hm_hashnext)
		if (copy.hm_pfn == hm->hm_pfn && copy.hm_entry == hm->hm_entry && copy.hm_htable == hm->hm_htable)
			return (NULL);
	return ("a record is not in the hash");
}

/* The two forms. */
static const char *
wrong_form(const page_t *pp)
{
	if (pp->p_mapping == NULL)
		return (NULL);
	if (pp->p_embed)
		return (pp->p_share == 0 ? NULL : "a page with an embedded record has a list length");
	return (pp->p_share >= 2 ? for_list(pp, is_hashed) : "a list of fewer than two records");
}

static const char *
wrong_empty(const page_t *pp)
{
	return (pp->p_mapping == NULL && (pp->p_embed || pp->p_share != 0) ? "no mapping, but a trace of one" : NULL);
}

static const char *
wrong_record(const page_t *pp)
{
	return (for_records(pp, is_leaf_of_page));
}

static void
judge_page(const char *(*fn)(const page_t *), const page_t *pp)
{
	const char *wrong = is_lost(pp) ? NULL : fn(pp);

	if (wrong != NULL)
		inv_report(NULL, NULL, pp->p_pagenum, pp->p_share, "page 0x%lx: %s", pp->p_pagenum, wrong);
}

/* Of all pages few are mapped, or look as if they were; there is nothing to say about the others. */
static page_t *traced[MAX_TRACED];
static uint_t ntraced; /* MAX_TRACED: there may be more */

static void
find_traced(void)
{
	ulong_t n;
	page_t *all = page_array(&n);

	ntraced = 0;
	for (page_t *pp = all; pp < all + n && ntraced < MAX_TRACED; pp++)
		if (pp->p_mapping != NULL || pp->p_embed || pp->p_share != 0)
			traced[ntraced++] = pp;
}

static void
judge_pages(const char *(*fn)(const page_t *))
{
	for (uint_t i = 0; i < ntraced && ntraced < MAX_TRACED; i++)
		judge_page(fn, traced[i]);
	for (page_t *pp = page_next(NULL); pp != NULL && ntraced == MAX_TRACED; pp = page_next(pp))
		judge_page(fn, pp);
}

/* The first of those that look at all pages. */
void
inv_E5(void)
{
	find_traced();
	judge_pages(wrong_record);
}

void
inv_E6(void)
{
	judge_pages(wrong_form);
}

void
inv_E7(void)
{
	judge_pages(wrong_empty);
}

void
inv_abandon_pages(void)
{
	for (page_t *pp = page_next(NULL); pp != NULL; pp = page_next(pp))
		if (wrong_record(pp) != NULL || wrong_form(pp) != NULL || wrong_empty(pp) != NULL)
			pp->p_flags |= PAGE_LOST;
}

/* ------------------------------------------------------------------ leaves */

/* A leaf where there can be none is L3's. */
static bool
is_possible_leaf(const inv_table_t *t, x86pte_t e)
{
	return (t->it_ht.ht_level <= mmu.max_page_level && inv_leaf(t, e));
}

static bool
is_recorded_leaf(const inv_table_t *t, x86pte_t e)
{
	return (!(t->it_ht.ht_flags & HTABLE_SHARED_PFN) && is_possible_leaf(t, e) && (e & PT_SOFTWARE) < PT_NOCONSIST);
}

static const inv_table_t *wanted_table; /* what count_wanted() counts */
static uint_t wanted_entry, found;

static const char *
count_wanted(const page_t *pp, const hment_t *hm)
{
	(void)pp;
	found += hm->hm_htable == wanted_table->it_addr && hm->hm_entry == wanted_entry;
	return (NULL);
}

void
inv_E4(inv_table_t *t, uint_t i, x86pte_t e)
{
	page_t *pp;

	if (!is_recorded_leaf(t, e))
		return;
	pp = page_numtopp_nolock(PTE2PFN(e, t->it_ht.ht_level));
	wanted_table = t;
	wanted_entry = i;
	found = 0;
	if (pp != NULL && is_lost(pp))
		return;
	if (pp != NULL)
		(void)for_records(pp, count_wanted);
	if (found != 1)
		inv_report(NULL, t, 1, found, "slot %u, entry 0x%llx: records on its page's list", i, (unsigned long long)e);
}

void
inv_F7(inv_table_t *t, uint_t i, x86pte_t e)
{
	page_t *pp = is_recorded_leaf(t, e) ? inv_page_in_state(t, e, PAGE_FREE) : NULL;

	if (pp != NULL && !is_lost(pp))
		inv_report(NULL, t, PAGE_USER, pp->p_pagenum, "slot %u, entry 0x%llx: maps a free page", i, (unsigned long long)e);
}
