/* notices: demap-all, demap-vlp */
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

	if (hat != kas_hat && hat != current)
		return;
	invlpg(va);
}
