/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Plain stores to entries that nobody else writes.
 */
#include <hat/x86pte.h>

/*
 * The MMU reads 8 bytes at a time, a 32-bit CPU stores 4. Present is in the low half: it is cleared first and written
 * last, so that no walk ever sees a present entry with half an address.
 */
void
pte_store(volatile void *p, x86pte_t value)
{
	volatile uint32_t *half = p;

	if (!MMU_PAE) {
		*half = (uint32_t)value;
		return;
	}
	if (sizeof(uintptr_t) == sizeof(x86pte_t)) {
		*(volatile x86pte_t *)p = value;
		return;
	}
	half[0] = 0;
	half[1] = (uint32_t)(value >> 32);
	half[0] = (uint32_t)value;
}
