/* notices[amd64]: large-inside */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Large pages: where they fit, and what to do where they do not.
 */
#include <hat/htable_impl.h>

level_t
lpage_level(const hat_t *hat, uintptr_t va, pfn_t pfn, size_t len)
{
	level_t l = hat == kas_hat ? mmu.max_page_level : mmu.umax_page_level;

	while (l > 0 && (((va | (uintptr_t)pfn_to_pa(pfn)) & LEVEL_OFFSET(l)) != 0 || len < LEVEL_SIZE(l)))
		l--;
	return (l);
}

level_t
lpage_load(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn)
{
	while (hati_load_common(hat, va, pp, attr, flags, level, pfn) != 0) {
		if (level == 0)
			panic("lpage_load: 0x%lx cannot be mapped at any level", va);
		level--; /* a table of smaller pages is there: use it */
	}
	return (level);
}
