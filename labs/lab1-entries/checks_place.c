/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The place where most checks of lab 1 act.
 */
#include <labs/lab1-entries/checks.h>
#include <sys/atomic.h>
#include <sys/string.h>

/* Bochs' TLB is direct mapped by bits 12-22: nothing that the kernel touches often has these, and evicts a stale entry. */
#define QUIET_VA ((uintptr_t)0x40607000)

struct place at;

static uint_t
index_of(uintptr_t va)
{
	return ((uint_t)(va >> PAGESHIFT) & (mmu.ptes_per_table - 1));
}

static void
take_at(hat_t *hat, uintptr_t va)
{
	if (index_of(va) == 0)
		va += PAGESIZE;
	if (index_of(va) == mmu.ptes_per_table - 1)
		va -= PAGESIZE;
	at.va = va;
	at.entry = index_of(va);
	at.ht = htable_create(hat, va, 0, NULL);
	at.a = check_page();
	at.b = check_page();
}

void
take(hat_t *hat)
{
	take_at(hat, check_va(0));
}

void
take_quiet(hat_t *hat)
{
	take_at(hat, QUIET_VA);
}

/* No count was ever raised. */
void
drop(void)
{
	copy_off();
	put_raw(at.ht, at.entry, 0);
	htable_release(at.ht);
	page_free(at.a, 0);
	page_free(at.b, 0);
}

void
want_flushes(hat_t *hat, uint_t n, const char *what)
{
	uint_t have;

	if (!trial_records("hat_tlb_inval"))
		return;
	have = trial_calls("hat_tlb_inval", (uintptr_t)hat, TRIAL_ANY);
	check_true(have == n, "%s: hat_tlb_inval() was called %u times, want %u", what, have, n);
	if (n > 0)
		check_true(trial_last("hat_tlb_inval")->tr_args[1] == at.va, "%s: hat_tlb_inval() for 0x%lx, the entry maps 0x%lx",
		    what, (ulong_t)trial_last("hat_tlb_inval")->tr_args[1], (ulong_t)at.va);
}

void
want_entry(x86pte_t want, const char *what)
{
	x86pte_t have = raw_entry(at.ht, at.entry);

	check_true(have == want, "entry %u, %s: have 0x%llx, want 0x%llx", at.entry, what, (unsigned long long)have,
	    (unsigned long long)want);
	for (uint_t i = at.entry - 1; i <= at.entry + 1; i += 2)
		check_true(raw_entry(at.ht, i) == 0, "entry %u, beside the one that was meant (%u): 0x%llx", i, at.entry,
		    (unsigned long long)raw_entry(at.ht, i));
}

void
run_hat(hat_t *hat, x86pte_t entry)
{
	uint32_t one = 0x11111111, two = 0x22222222, seen = 0;

	check_true(poke_phys(pfn_to_pa(at.a->p_pagenum), &one, sizeof(one)), "page 0x%lx", at.a->p_pagenum);
	check_true(poke_phys(pfn_to_pa(at.b->p_pagenum), &two, sizeof(two)), "page 0x%lx", at.b->p_pagenum);
	hat_setup(hat);
	put_raw(at.ht, at.entry, entry);
	kpreempt_disable(); /* another thread's turn would reload CR3, and drop the stale translation */
	check_true(peek((void *)at.va, &seen, sizeof(seen)), "0x%lx cannot be read", (ulong_t)at.va);
	check_eq(seen, one, "what the first page holds");
}

void
leave_hat(hat_t *hat)
{
	kpreempt_enable();
	put_raw(at.ht, at.entry, 0);
	hat_tlb_inval(hat, at.va);
	hat_setup(NULL);
}

static uint_t races;

/* pte_cas(p, old, new): the first words of its arguments. */
static void
set_ref_mod(const char *func, const uintptr_t *args)
{
	volatile uint32_t *p = (volatile uint32_t *)args[0];
	uint32_t old = (uint32_t)args[1];

	if (races == 0 && strcmp(func, "pte_cas") == 0 && (old & PT_VALID) && *p == old) {
		atomic_or_32(p, PT_REF | PT_MOD);
		races++;
	}
}

void
race_on(void)
{
	races = 0;
	trial_on_call(set_ref_mod);
}

bool
race_happened(void)
{
	check_true(races > 0 || !trial_records("pte_cas"),
	    "the entry, which the MMU may change at any moment, was changed without a pte_cas() of its value");
	return (races > 0);
}
