/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Many entries of one table at once: a dozen instructions each, where a visit to each would be a hundred.
 *
 * Each entry is still changed by a compare-and-swap of its own: the MMU may set accessed or dirty at any moment, and the table
 * may be in use by others. What these leave to the caller, once for all of them: counts, and the flush.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

#define UNLISTED (PT_SOFTWARE & ~(PT_NOCONSIST - 1)) /* any of these bits: PT_NOCONSIST or more */

static inline bool
unlisted(x86pte_t pte)
{
	return (PTE_ISVALID(pte) && (pte & UNLISTED));
}

static uint_t
sweep_64(volatile uint64_t *p, uint_t n, x86pte_t *seen)
{
	uint64_t any = 0;
	uint_t gone = 0;

	for (volatile uint64_t *end = p + n; p < end; p++) {
		uint64_t pte = atomic_load_64(p); /* on i386 perhaps of two entries: then the exchange fails */

		if (unlisted(pte) && atomic_cas_64(p, pte, 0) == pte) {
			gone++;
			any |= pte;
		}
	}
	*seen |= any;
	return (gone);
}

static uint_t
sweep_32(volatile uint32_t *p, uint_t n, x86pte_t *seen)
{
	uint_t gone = 0;

	for (; n > 0; n--, p++) {
		uint32_t pte = atomic_load_32(p);

		if (unlisted(pte) && atomic_cas_32(p, pte, 0) == pte) {
			gone++;
			*seen |= pte;
		}
	}
	return (gone);
}

uint_t
pte_sweep(void *p, uint_t n, x86pte_t *seen)
{
	return (MMU_PAE ? sweep_64(p, n, seen) : sweep_32(p, n, seen));
}

static uint_t
fill_64(volatile uint64_t *p, uint_t n, uint64_t pte)
{
	uint_t i;

	for (i = 0; i < n && atomic_cas_64(p, 0, pte) == 0; i++, p++)
		pte += PAGESIZE;
	return (i);
}

uint_t
pte_fill(void *p, uint_t n, x86pte_t pte)
{
	volatile uint32_t *e = p;
	uint32_t low = (uint32_t)pte;
	uint_t i;

	if (MMU_PAE)
		return (fill_64(p, n, pte));
	for (i = 0; i < n && atomic_cas_32(e, 0, low) == 0; i++, e++)
		low += PAGESIZE;
	return (i);
}

x86pte_t
pte_take(volatile void *p, x86pte_t expect)
{
	x86pte_t old = expect, found;

	while ((found = pte_cas(p, old, 0)) != old) {
		if (((found ^ expect) & PT_PADDR) != 0)
			return (found);
		old = found;
	}
	return (old);
}
