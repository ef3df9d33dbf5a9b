/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Large pages: where they fit, and what to do where they do not.
 *
 * Yours to write. What lpage_level() and lpage_load() must do stands in <hat/hat_impl.h>.
 */
#include <hat/htable_impl.h>
#include <sys/debug.h>

level_t
lpage_level(const hat_t *hat, uintptr_t va, pfn_t pfn, size_t len)
{
	(void)hat, (void)va, (void)pfn, (void)len;
	lab_todo(8, __func__, "Large pages");
}

level_t
lpage_load(hat_t *hat, uintptr_t va, struct page *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn)
{
	(void)hat, (void)va, (void)pp, (void)attr, (void)flags, (void)level, (void)pfn;
	lab_todo(8, __func__, "Large pages");
}
