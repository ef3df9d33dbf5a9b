/* notices: unframe-state */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: the lock is given back, and the page is nobody's for ever.
 */
#include <hat/htable_impl.h>
#include <vm/page.h>

void
ptable_free(pfn_t pfn)
{
	page_t *pp = page_numtopp_nolock(pfn);

	ASSERT(pfn != PFN_INVALID);
	HATSTAT_INC(hs_ptable_frees);
	atomic_dec_32(&active_ptables);
	if (pp == NULL)
		panic("ptable_free: frame 0x%lx has no page", pfn);
	ASSERT(PAGE_SHARED(pp));
	ASSERT(pp->p_pagenum == pfn);
	if (!page_tryupgrade(pp)) { /* somebody looks at it: sleep until he is done (C-5) */
		page_unlock(pp);
		(void)page_lock(pp, true, true); /* nobody else may free it: it has not gone */
	}
	page_unlock(pp);
	page_unresv(1);
}
