/* notices: lost-found, lost-race */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A write that slipped through while its permission went away.
 */
#include <hat/x86pte.h>

x86pte_t
pte_lost_write(volatile void *p, x86pte_t expect, x86pte_t new)
{
	x86pte_t seen, found;

	if (!(expect & PT_WRITABLE) || (expect & PT_MOD) || ((PT_WRITABLE | PT_MOD) & new))
		return (expect);
	seen = pte_load(p);
	if (!(seen & PT_MOD))
		return (expect);
	while (!(seen & PT_WRITABLE)) {
		found = pte_cas(p, seen, seen | PT_WRITABLE);
		if (found == seen)
			seen |= PT_WRITABLE;
		else
			seen = found;
	}
	return (expect);
}
