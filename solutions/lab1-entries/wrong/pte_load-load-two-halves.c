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
	return (((volatile uint32_t *)p)[0] | (x86pte_t)((volatile uint32_t *)p)[1] << 32);
}
