/* notices: shoot-asleep */
/* notices[cpus=2]: shoot-one, shoot-all, shoot-kernel, shoot-shared */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make every CPU forget.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <sys/xcall.h>

void
hat_tlb_inval(hat_t *hat, uintptr_t va)
{
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
	tlb_demap_local(hat, va);
	kpreempt_enable();
}
