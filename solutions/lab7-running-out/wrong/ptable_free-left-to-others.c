/* notices: unframe-shared */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: when somebody else looks at the page, it is left to him.
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
	if (!page_tryupgrade(pp)) { /* somebody looks at it */
		page_unlock(pp);
		page_unresv(1);
		return;
	}
	page_free(pp, 1);
	page_unresv(1);
}
