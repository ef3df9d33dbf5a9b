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

/** Asleep, and told to flush when it wakes? */
static bool
asleep(cpu_t *cp)
{
	uint32_t info;

	do {
		info = cp->cpu_tlb_info;
		if (!(info & TLB_CPU_HALTED))
			return (false);
	} while (atomic_cas_32(&cp->cpu_tlb_info, info, info | TLB_INVAL_ALL) != info);
	return (true);
}

void
hat_tlb_inval(hat_t *hat, uintptr_t va)
{
	cpuset_t others;

	if (hat->hat_flags & HAT_FREEING)
		return;
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
	others = (hat == kas_hat ? khat_cpuset : hat->hat_cpus) & ~CPUSET(CPU->cpu_id);
	for (int id = 0; id < ncpus; id++)
		if ((others & CPUSET(id)) && asleep(cpu[id]))
			others &= ~CPUSET(id);
	if (others != 0)
		xc_call(others, demap_call, (uintptr_t)hat, va);
	tlb_demap_local(hat, va);
	kpreempt_enable();
}
