/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Exchange an entry if it is what we think.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

x86pte_t
pte_cas(volatile void *p, x86pte_t old, x86pte_t new)
{
	if (!MMU_PAE)
		return (atomic_cas_32(p, (x86pte32_t)old, (x86pte32_t) new));
	return (atomic_cas_64(p, old, new));
}
