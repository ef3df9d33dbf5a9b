/* notices: refresh-four, refresh-whole */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Show a VLP hat's four entries to this CPU's MMU.
 */
#include <hat/htable_impl.h>

void
hat_vlp_refresh(hat_t *hat)
{
	x86pte_t *slots = CPU->cpu_hat_info->hci_vlp_slots;

	ASSERT(hat->hat_flags & HAT_VLP);
	for (uint_t i = 0; i < VLP_NUM_PTES - 1; i++) {
		x86pte_t old = pte_load(&slots[i]);

		while (pte_cas(&slots[i], old, hat->hat_vlp_ptes[i]) != old) /* C-37: until it holds */
			old = pte_load(&slots[i]);
	}
}
