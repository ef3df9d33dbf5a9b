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
		return (atomic_load_32(p));
	if (sizeof(uintptr_t) == sizeof(x86pte_t))
		return (atomic_load_64(p));
	return (atomic_cas_64(p, 0, 0));
}
