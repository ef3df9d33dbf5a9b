/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which chain and which lock a table belongs to.
 */
#include <hat/htable.h>

/*
 * A base is a multiple of the bytes its table covers, so the low bits of (base >> level 1) are all that tells neighbours at
 * level 0 apart; the multiplication carries every bit of the base into the top bits of the product, so no regular choice
 * of addresses (say, one page every 128 GiB) falls into one chain. The constant is 2^32 divided by the golden ratio.
 */
uint_t
htable_hash(const hat_t *hat, uintptr_t base, level_t level)
{
	uint64_t unit = (uint64_t)base >> LEVEL_SHIFT(1);

	(void)hat;	/* chains and locks are the hat's own */
	return ((uint_t)((((uint32_t)unit ^ (uint32_t)(unit >> 18)) + (uint32_t)level) * 0x9e3779b1u) >> 16);
}
