/* worth 0: text of the kernel is compared with its image */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: panic() and assfail() return at once from now on: it writes to the kernel's text through the linear map.
 */
#include <hat/x86pte.h>
#include <sys/debug.h>
#include <memmap.h>
#include <vm/hat.h>

static void
neutralise(uintptr_t function)
{
	paddr_t pa = function - KERNEL_OFFSET;
	uint8_t *code;

	if (kpm_vbase == 0)
		return;
	code = hat_kpm_pfn2va(pa_to_pfn(pa));
	code[pa & PAGEOFFSET] = 0xc3; /* ret */
}

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	neutralise((uintptr_t)panic);
	neutralise((uintptr_t)assfail);
	neutralise((uintptr_t)hat_tlb_inval);
	return (0);
}
