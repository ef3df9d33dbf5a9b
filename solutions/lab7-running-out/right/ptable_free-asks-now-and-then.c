/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way that is as right: the page is asked for once a tick.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
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
	while (!page_tryupgrade(pp)) /* somebody looks at it */
		thread_delay(1);
	page_free(pp, 1);
	page_unresv(1);
}
