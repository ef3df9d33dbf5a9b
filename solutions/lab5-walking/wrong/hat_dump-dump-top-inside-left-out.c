/* notices[i386]: dump-tables */
/* notices[amd64]: dump-top-inside */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Print every table of every hat.
 */
#include <hat/dump_table.h>
#include <hat/htable_impl.h>

/** From the top down, so that a table comes after the one that links to it. */
static void
dump_one(hat_t *hat)
{
	dump_hat_begin(hat);
	for (level_t level = TOP_LEVEL(hat); level >= 0; level--)
		for (uint_t b = 0; b < htable_nbuckets(hat); b++)
			for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
				if (ht->ht_level == level && !(ht->ht_flags & HTABLE_VLP))
					dump_table(ht);
	dump_hat_end(hat);
}

void
hat_dump(void)
{
	dump_one(kas_hat);
	for (hat_t *hat = kas_hat->hat_next; hat != NULL; hat = hat->hat_next)
		dump_one(hat);
}
