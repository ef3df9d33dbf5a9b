/* notices: frame-exempt */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plausible mistake: those who make memory free are refused memory.
 */
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <vm/page.h>

/** DEBUG: every (force_steal + 1)-th request fails. */
static bool
fail_on_purpose(void)
{
#ifdef DEBUG
	if (force_steal > 1 && can_steal_post_boot) {
		atomic_inc_32(&ptable_cnt);
		if (ptable_cnt > force_steal) {
			ptable_cnt = 0;
			return (true);
		}
	}
#endif
	return (false);
}

pfn_t
ptable_alloc(uintptr_t seed)
{
	page_t *pp;

	/* the last pages are for those who make new ones free */
	if (freemem <= throttlefree + 1)
		return (PFN_INVALID);
	if (fail_on_purpose())
		return (PFN_INVALID);
	pp = page_get_physical(seed);
	if (pp == NULL)
		return (PFN_INVALID);
	ASSERT(PAGE_SHARED(pp));
	if (pp->p_pagenum == PFN_INVALID)
		panic("ptable_alloc: page %p has no frame", (void *)pp);
	atomic_inc_32(&active_ptables);
	HATSTAT_INC(hs_ptable_allocs);
	return (pp->p_pagenum);
}
