/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief User address spaces: made, run, destroyed (spec 9.1).
 */
#include <hat/hat_md.h>
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>

bool
use_hat_reserves(void)
{
	return (use_boot_reserve || curthread->t_hatdepth > 1 || panicstr != NULL || vmem_is_populator());
}

bool
htable_is_directory(const htable_t *higher)
{
	if (higher->ht_flags & HTABLE_VLP)
		return (true);
	return (mmu.top_level_count == VLP_NUM_PTES && higher->ht_level == mmu.max_level);
}

/** Show one kernel range in a new hat: copy the slots of the kernel's table at that level. */
static void
copy_range(hat_t *hat, const struct hat_kernel_range *k)
{
	bool top = k->hkr_level == TOP_LEVEL(kas_hat); /* that one is there for ever */
	htable_t *src = top ? kas_hat->hat_htable : htable_lookup(kas_hat, k->hkr_start, k->hkr_level);
	htable_t *dest = hat->hat_htable;
	uint_t entry = htable_va2entry(k->hkr_start, src);
	uint_t count = HTABLE_NUM_PTES(src) - entry;

	if (k->hkr_level < TOP_LEVEL(hat)) {
		dest = htable_create(hat, k->hkr_start, k->hkr_level, NULL);
		dest->ht_permanent++; /* and its hold is kept */
	}
	if (!(dest->ht_flags & HTABLE_VLP))
		x86pte_copy(src, dest, entry, count);
	if (!top)
		htable_release(src);
}

static void
list_insert(hat_t *hat)
{
	mutex_enter(&hat_list_lock);
	hat->hat_prev = NULL;
	hat->hat_next = kas_hat->hat_next;
	if (hat->hat_next != NULL)
		hat->hat_next->hat_prev = hat;
	else
		kas_hat->hat_prev = hat;
	kas_hat->hat_next = hat;
	mutex_exit(&hat_list_lock);
}

static void
list_remove(hat_t *hat)
{
	mutex_enter(&hat_list_lock);
	if (hat->hat_prev != NULL)
		hat->hat_prev->hat_next = hat->hat_next;
	else
		kas_hat->hat_next = hat->hat_next;
	if (hat->hat_next != NULL)
		hat->hat_next->hat_prev = hat->hat_prev;
	else
		kas_hat->hat_prev = hat->hat_prev;
	mutex_exit(&hat_list_lock);
}

hat_t *
hat_alloc(struct as *as)
{
	hat_t *hat = hat_create_bare(as);

	can_steal_post_boot = 1;
	if (md_hat_is_vlp(as)) {
		hat->hat_flags = HAT_VLP;
		hat->hat_top = VLP_LEVEL;
	}
	hat->hat_htable = htable_create(hat, 0, TOP_LEVEL(hat), NULL);
	hat->hat_htable->ht_permanent++;
	if (hat->hat_flags & HAT_VLP)
		md_vlp_copy_kernel(hat);
	for (int r = 0; r < num_kernel_ranges; r++)
		if (kernel_ranges[r].hkr_level <= TOP_LEVEL(hat))
			copy_range(hat, &kernel_ranges[r]);
	list_insert(hat);
	return (hat);
}

void
hat_free_start(hat_t *hat)
{
	mutex_enter(&hat_list_lock);
	while (hat->hat_flags & HAT_VICTIM)
		cv_wait(&hat_list_cv, &hat_list_lock);
	atomic_or_32(&hat->hat_flags, HAT_FREEING);
	mutex_exit(&hat_list_lock);
}

void
hat_free_end(hat_t *hat)
{
	if (!(hat->hat_flags & HAT_FREEING) || hat->hat_cpus != 0 || CPU->cpu_current_hat == hat) {
		HAT_MISUSE(
		    "S14: hat_free_end of hat %p, flags 0x%x, which CPUs 0x%lx run", (void *)hat, hat->hat_flags, hat->hat_cpus);
		return;
	}
	while (hat->hat_guests != 0)
		thread_yield();
	list_remove(hat);
	htable_purge_hat(hat);
	hat_destroy_bare(hat);
}

paddr_t
hat_cr3(hat_t *hat)
{
	if (hat->hat_flags & HAT_VLP)
		return (CPU->cpu_hat_info->hci_vlp_cr3);
	return (pfn_to_pa(hat->hat_htable->ht_pfn));
}

void
hat_switch(hat_t *hat)
{
	cpu_t *cp = CPU;
	hat_t *old = cp->cpu_current_hat;
	paddr_t cr3;

	if (hat == old)
		return;
	if (old != kas_hat)
		atomic_and_long(&old->hat_cpus, ~CPUSET(cp->cpu_id));
	if (hat != kas_hat)
		atomic_or_long(&hat->hat_cpus, CPUSET(cp->cpu_id));
	cp->cpu_current_hat = hat;
	if (hat->hat_flags & HAT_VLP)
		hat_vlp_refresh(hat);
	cr3 = hat_cr3(hat);
	write_cr3((uintptr_t)cr3);
	md_cr3_changed((uintptr_t)cr3);
}

void
hat_thread_switch(kthread_t *next)
{
	if (khat_running)
		hat_switch(next->t_hat != NULL ? next->t_hat : kas_hat);
}

void
hat_setup(hat_t *hat)
{
	kpreempt_disable();
	curthread->t_hat = hat;
	hat_switch(hat != NULL ? hat : kas_hat);
	kpreempt_enable();
}

/** Only in a table at the very level of a kernel range; a higher slot that merely overlaps the range is an ordinary link. */
static bool
is_in_kernel_range(const htable_t *ht, uint_t entry)
{
	uintptr_t va = ht->ht_vaddr + ((uintptr_t)entry << LEVEL_SHIFT(ht->ht_level));

	if (ht->ht_level == MAX_NUM_LEVEL - 1 && va >= mmu.hole_start)
		va += mmu.hole_end - mmu.hole_start + 1;
	for (int r = 0; r < num_kernel_ranges; r++) {
		const struct hat_kernel_range *k = &kernel_ranges[r];

		if (k->hkr_level == ht->ht_level && va >= k->hkr_start && (k->hkr_end == 0 || va < k->hkr_end))
			return (true);
	}
	return (false);
}

bool
hat_is_copied_slot(const htable_t *ht, uint_t entry)
{
	return (ht->ht_hat != kas_hat && is_in_kernel_range(ht, entry));
}

bool
hat_is_final_slot(const htable_t *ht, uint_t entry)
{
	return (kernel_ranges_final && ht->ht_hat == kas_hat && is_in_kernel_range(ht, entry));
}

bool
hat_is_private_slot(const htable_t *ht, uint_t entry)
{
	uintptr_t va = ht->ht_vaddr + ((uintptr_t)entry << LEVEL_SHIFT(ht->ht_level));

	if (ht->ht_hat != kas_hat || ht->ht_level != 0)
		return (false);
	for (uint_t i = 0; i < HAT_NMEMPTE; i++)
		if (va != 0 && va == hat_mempte_va[i])
			return (true);
	return (va == hat_check_window() || (va >= mmu.pwin_base && va < mmu.pwin_base + 2 * NCPU * PAGESIZE));
}
