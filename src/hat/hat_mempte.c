/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief CPU-private slots (spec 9.6): one kernel page whose entry a CPU stores to for itself, without any lock.
 *
 * The slot counts as valid whatever is in it, so its table stays. No other CPU uses the address, so a local flush is enough.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

uintptr_t hat_mempte_va[HAT_NMEMPTE];
static kmutex_t mempte_lock;

/** Exchange one remembered address for another. */
static void
note(uintptr_t from, uintptr_t to)
{
	uint_t i = 0;

	mutex_enter(&mempte_lock);
	while (i < HAT_NMEMPTE && hat_mempte_va[i] != from)
		i++;
	if (i == HAT_NMEMPTE)
		panic("hat_mempte: 0x%lx has no slot, or there are no more than %u", from | to, HAT_NMEMPTE);
	hat_mempte_va[i] = to;
	mutex_exit(&mempte_lock);
}

static bool
is_kernel_page(const char *who, uintptr_t va)
{
	if ((va & PAGEOFFSET) == 0 && va >= kernelbase)
		return (true);
	HAT_MISUSE("S9: %s: 0x%lx is no page of the kernel", who, va);
	(void)who;
	return (false);
}

paddr_t
hat_mempte_setup(uintptr_t va)
{
	htable_t *ht;
	uint_t entry;
	x86pte_t old;
	pfn_t pfn;

	if (!is_kernel_page("hat_mempte_setup", va))
		return (0);
	ASSERT(curthread->t_hatdepth < HAT_MAXDEPTH);
	curthread->t_hatdepth++;
	ht = htable_create(kas_hat, va, 0, NULL);
	entry = htable_va2entry(va, ht);
	old = x86pte_get(ht, entry);
	if (PTE_ISVALID(old))
		panic("hat_mempte_setup: 0x%lx is mapped: 0x%llx", va, (unsigned long long)old);
	note(0, va);
	atomic_inc_int(&ht->ht_valid_cnt);
	pfn = ht->ht_pfn;
	htable_release(ht);
	curthread->t_hatdepth--;
	return (PT_INDEX_PHYSADDR(pfn_to_pa(pfn), entry));
}

/** Store to the entry and forget the old one, on this CPU. */
static void
store(uintptr_t va, paddr_t pte_pa, x86pte_t pte)
{
	uint_t index = (uint_t)(pte_pa & PAGEOFFSET) >> mmu.pte_size_shift;

	kpreempt_disable();
	pte_store(x86pte_mapin(pa_to_pfn(pte_pa), index, NULL), pte);
	x86pte_mapout();
	invlpg(va);
	kpreempt_enable();
}

void
hat_mempte_remap(pfn_t pfn, uintptr_t va, paddr_t pte_pa, uint_t attr, uint_t flags)
{
	ASSERT(curthread->t_preempt > 0);
	if (is_kernel_page("hat_mempte_remap", va))
		store(va, pte_pa, hati_mkpte(kas_hat, va, pfn, attr, 0, flags | HAT_LOAD_NOCONSIST));
}

void
hat_mempte_release(uintptr_t va, paddr_t pte_pa)
{
	htable_t *ht;

	if (!is_kernel_page("hat_mempte_release", va))
		return;
	ht = htable_lookup(kas_hat, va, 0);
	if (ht == NULL)
		panic("hat_mempte_release: 0x%lx has no table", va);
	note(va, 0); /* panics when it is not reserved: before anything is cleared */
	store(va, pte_pa, 0);
	atomic_dec_int(&ht->ht_valid_cnt);
	htable_release(ht);
}
