/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Clear many entries at once that no MMU can reach.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

static inline bool
unlisted(x86pte_t pte)
{
	return (PTE_ISVALID(pte) && (pte & PT_SOFTWARE) >= PT_NOCONSIST);
}

static uint_t
sweep_64(volatile uint64_t *p, uint_t n)
{
	uint_t gone = 0;

	for (; n > 0; n--, p++) {
		uint64_t pte = *p;	/* in two halves on i386: then the exchange fails, and the entry is left for later */

		gone += unlisted(pte) && atomic_cas_64(p, pte, 0) == pte;
	}
	return (gone);
}

uint_t
pte_sweep(void *p, uint_t n)
{
	volatile uint32_t *e = p;
	uint_t gone = 0;

	if (mmu.pae_hat)
		return (sweep_64(p, n));
	for (; n > 0; n--, e++) {
		uint32_t pte = *e;

		gone += unlisted(pte) && atomic_cas_32(e, pte, 0) == pte;
	}
	return (gone);
}
