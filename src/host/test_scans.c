/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a scan of a table gives when entries go while it looks, and where a table is cut off.
 */
#include <host/hooks.h>
#include <host/host.h>
#include <host/races.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>

static htable_t *ht; /* is looked through */
static struct {
	uint_t entry;  /* of it, that changes */
	uint_t load;   /* when it is loaded for the n-th time from now on */
	x86pte_t left; /* what it is then */
} change;

/** Store an entry, and nothing else. */
static void
put(uint_t entry, x86pte_t pte)
{
	pte_store(x86pte_access_pagetable(ht, entry), pte);
	x86pte_release_pagetable(ht);
}

static void
change_it(volatile void *p)
{
	if (((uintptr_t)p & PAGEOFFSET) != (uintptr_t)change.entry << mmu.pte_size_shift || --change.load > 0)
		return;
	host_before_load = NULL;
	pte_store((void *)(uintptr_t)p, change.left);
}

static void
expect_scan(uint_t from, x86pte_t want, uint_t at, const char *what)
{
	uintptr_t va = VA + from * PAGESIZE;
	x86pte_t pte = htable_scan(ht, &va, VA + 10 * PAGESIZE);

	expect(host_before_load == NULL, "%s: it was not loaded", what);
	expect(pte == want && va == VA + at * PAGESIZE, "%s: the scan finds 0x%llx at 0x%lx, not 0x%llx at entry %u", what,
	    (unsigned long long)pte, va, (unsigned long long)want, at);
}

/** An entry is gone when it is loaded, but for the mark of an access, and there is no other: nothing is found. */
static void
gone_and_no_other(x86pte_t left)
{
	put(3, MAKEPTE(page->p_pagenum, 0));
	change.entry = 3;
	change.load = 1;
	change.left = left;
	host_before_load = change_it;
	expect_scan(0, 0, 10, "what has just gone");
	put(3, 0);
}

/** A slot whose table is cut off is where the scan stops, and when it is free again the scan goes on behind it. */
static void
cut_at_the_start(void)
{
	put(5, PTE_CUT);
	expect_scan(5, PTE_CUT, 5, "what is cut off");
	put(4, MAKEPTE(page->p_pagenum, 0));
	change.entry = 5;
	change.load = 2; /* the scan has seen it once */
	change.left = 0;
	host_before_load = change_it;
	expect_scan(5, 0, 10, "what was cut off");
	put(4, 0);
}

void
scans_run(hat_t *hat)
{
	ht = htable_create(hat, VA, 0, NULL);
	htable_note(ht, 0);
	gone_and_no_other(0);
	gone_and_no_other(PT_REF);
	cut_at_the_start();
	htable_release(ht);
}
