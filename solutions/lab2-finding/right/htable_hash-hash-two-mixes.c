/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which chain and which lock a table belongs to: shifts between two multiplications.
 */
#include <hat/htable_impl.h>

uint_t
htable_hash(const hat_t *hat, uintptr_t base, level_t level)
{
	uint32_t x = (uint32_t)((uint64_t)base >> PAGESHIFT) ^ (uint32_t)((uint64_t)base >> 32 << 7) ^ (uint32_t)level;

	(void)hat;
	x = (x ^ (uint32_t)htable_secret) * 0x85ebca6bu;
	x ^= x >> 15;
	x = (x + (uint32_t)(htable_secret >> (4 * sizeof(htable_secret)))) * 0xc2b2ae35u;
	return (x ^ x >> 13);
}
