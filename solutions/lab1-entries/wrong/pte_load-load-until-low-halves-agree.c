/* notices[i386]: load-whole */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Load an entry whole.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

/*
 * Where a pointer has 8 bytes, so has a load. Elsewhere two loads of 4 bytes could see halves of two different entries, and
 * even equal low halves before and after prove nothing (A, B, A again): an 8-byte exchange of 0 with 0 changes nothing and
 * returns all of it at one instant.
 */
x86pte_t
pte_load(volatile void *p)
{
	if (!MMU_PAE)
		return (*(volatile x86pte32_t *)p);
	if (sizeof(uintptr_t) == sizeof(x86pte_t))
		return (*(volatile x86pte_t *)p);
	for (;;) {
		volatile uint32_t *half = p;
		uint32_t low = half[0], high = half[1];

		if (half[0] == low)
			return (low | (x86pte_t)high << 32);
	}
}
