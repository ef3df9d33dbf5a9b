/* notices: demap-kernel */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Make this CPU forget.
 */
#include <hat/htable_impl.h>
#include <x86/cpufunc.h>

void
tlb_demap_local(hat_t *hat, uintptr_t va)
{
	hat_t *current = CPU->cpu_current_hat;

	if (hat != current)
		return;
	if (va != DEMAP_ALL_ADDR) {
		invlpg(va);
		return;
	}
	if (current->hat_flags & HAT_VLP)
		hat_vlp_refresh(current);
	write_cr3(read_cr3());
}
