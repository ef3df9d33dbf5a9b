/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief CPUs that are asleep.
 */
#include <hat/htable_impl.h>
#include <x86/cpufunc.h>

void
tlb_going_idle(void)
{
	atomic_or_32(&CPU->cpu_tlb_info, TLB_CPU_HALTED);
}

/** Global entries survive a load of CR3, so PGE itself is switched off and on [SDM3 4.10.4.1]. */
void
tlb_service(void)
{
	uintptr_t cr4;
	uint32_t found, info = CPU->cpu_tlb_info;

	while ((found = atomic_cas_32(&CPU->cpu_tlb_info, info, 0)) != info)
		info = found;
	if ((info & TLB_INVAL_ALL) == 0)
		return;
	if (CPU->cpu_current_hat->hat_flags & HAT_VLP)
		hat_vlp_refresh(CPU->cpu_current_hat);
	cr4 = read_cr4();
	write_cr4(cr4 & ~(uintptr_t)CR4_PGE);
	write_cr4(cr4); /* that drops everything, so CR3 is written for directory pointers only */
	write_cr3(read_cr3());
}
