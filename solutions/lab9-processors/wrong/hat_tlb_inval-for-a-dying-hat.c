/* notices: shoot-freeing */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make every CPU forget.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <sys/xcall.h>

static void
demap_call(uintptr_t hat, uintptr_t va)
{
	tlb_demap_local((hat_t *)hat, va);
}

/** A halted CPU will flush everything when it wakes: nobody waits for it. True if this one is such. */
static bool
delayed(cpu_t *cp)
{
	uint32_t seen = cp->cpu_tlb_info;

	while (seen & TLB_CPU_HALTED) {
		uint32_t found = atomic_cas_32(&cp->cpu_tlb_info, seen, seen | TLB_INVAL_ALL);

		if (found == seen) {
			HATSTAT_INC(hs_tlb_inval_delayed);
			return (true);
		}
		seen = found;
	}
	return (false);
}

/** The CPUs that must be told now. */
static cpuset_t
targets(const hat_t *hat)
{
	cpuset_t set = hat == kas_hat ? khat_cpuset : hat->hat_cpus;

	for (int id = 0; id < NCPU; id++)
		if ((set & CPUSET(id)) && id != CPU->cpu_id && delayed(cpu[id]))
			set &= ~CPUSET(id);
	return (set);
}

void
hat_tlb_inval(hat_t *hat, uintptr_t va)
{
	cpuset_t set;

	if (hat != kas_hat)
		HATSTAT_INC(hs_tlb_invals);
	if (hat->hat_flags & HAT_SHARED) {
		hat = kas_hat;
		va = DEMAP_ALL_ADDR;
	}
	if (hat != kas_hat && hat->hat_cpus == 0)
		return; /* it runs nowhere: who takes it up joins hat_cpus first, and loads CR3 then */
	kpreempt_disable();
	if (panicstr != NULL || ncpus < 2) {
		tlb_demap_local(hat, va);
		kpreempt_enable();
		return;
	}
	set = targets(hat);
	if ((set & ~CPUSET(CPU->cpu_id)) == 0)
		tlb_demap_local(hat, va);
	else
		xc_call(set | CPUSET(CPU->cpu_id), demap_call, (uintptr_t)hat, va);
	kpreempt_enable();
}
