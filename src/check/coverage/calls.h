/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Included before each counted file: macros with conditions of their own become calls, or every line that uses one
 * would seem to have branches that no test can take. What they say is not repeated here.
 */
#ifndef CHECK_COVERAGE_CALLS_H
#define CHECK_COVERAGE_CALLS_H

#include <hat/hat_impl.h>

#define UNCOUNTED static inline __attribute__((no_profile_instrument_function, unused))

UNCOUNTED bool
pte_is_lgpg(x86pte_t e, level_t l)
{
	return (PTE_IS_LGPG(e, l));
}
UNCOUNTED bool
pte_ispage(x86pte_t e, level_t l)
{
	return (PTE_ISPAGE(e, l));
}
UNCOUNTED pfn_t
pte_pfn(x86pte_t e, level_t l)
{
	return (PTE2PFN(e, l));
}
UNCOUNTED level_t
top_level(const hat_t *hat)
{
	return (TOP_LEVEL(hat));
}

#undef PTE_IS_LGPG
#undef PTE_ISPAGE
#undef PTE2PFN
#undef TOP_LEVEL
#define PTE_IS_LGPG(e, l) pte_is_lgpg(e, l)
#define PTE_ISPAGE(e, l)  pte_ispage(e, l)
#define PTE2PFN(e, l)     pte_pfn(e, l)
#define TOP_LEVEL(hat)    top_level(hat)

#endif
