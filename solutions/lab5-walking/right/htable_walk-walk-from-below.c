/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: at each address all levels are tried from below, and nothing is known of what is mapped where.
 */
#include <hat/htable_impl.h>

static uintptr_t
end_of(const hat_t *hat)
{
	return (hat == kas_hat ? HTABLE_WALK_TO_END : hat_user_end(hat));
}

/* One table looked at from va on. A leaf: true. Else va has moved on. */
static bool
look(htable_t *ht, uintptr_t *vap, uintptr_t eaddr, x86pte_t *ptep)
{
	uintptr_t from = *vap;

	*ptep = htable_scan(ht, vap, eaddr);
	if (PTE_ISPAGE(*ptep, ht->ht_level))
		return (*vap < eaddr);
	if (*ptep != 0 && *vap < from)
		*vap = from;
	return (false);
}

x86pte_t
htable_walk(hat_t *hat, htable_t **htp, uintptr_t *vap, uintptr_t eaddr)
{
	uintptr_t va = va_skip_hole(*vap);
	x86pte_t pte;

	htable_release(*htp);
	*htp = NULL;
	if (eaddr == HTABLE_WALK_TO_END)
		eaddr = end_of(hat);
	while (va < eaddr) {
		htable_t *ht = NULL;
		uintptr_t before = va;
		level_t l;

		for (l = 0; l <= TOP_LEVEL(hat) && (ht = htable_lookup(hat, va, l)) == NULL; l++)
			;
		if (ht == NULL)
			break;
		if (look(ht, &va, eaddr, &pte)) {
			*htp = ht;
			*vap = va;
			return (pte);
		}
		htable_release(ht);
		va = va_skip_hole(va);
		if (pte == 0 && va <= before)
			break;
	}
	*vap = 0;
	return (0);
}
