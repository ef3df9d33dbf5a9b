/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Another way: one pass over the chains, in whatever order tables lie there.
 */
#include <hat/dump_table.h>
#include <hat/htable_impl.h>

void
hat_dump(void)
{
	for (hat_t *hat = kas_hat; hat != NULL; hat = hat->hat_next) {
		dump_hat_begin(hat);
		for (uint_t k = 0; k < HAT_NLOCKS; k++)
			for (uint_t i = 0; i <= hat->hat_chains[k].hc_mask; i++)
				for (htable_t *ht = hat->hat_chains[k].hc_head[i]; ht != NULL; ht = ht->ht_next)
					dump_table(ht);
		dump_hat_end(hat);
	}
}
