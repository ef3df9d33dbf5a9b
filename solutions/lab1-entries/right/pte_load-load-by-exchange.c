/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Load an entry whole.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

/*
 * An 8-byte exchange of 0 with 0 changes nothing and returns all of it at one instant, whatever the width of a load.
 */
x86pte_t
pte_load(volatile void *p)
{
	if (!MMU_PAE)
		return (*(volatile x86pte32_t *)p);
	return (atomic_cas_64(p, 0, 0));
}
