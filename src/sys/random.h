/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Numbers that look like chance, and are the same for the same seed.
 */
#ifndef SYS_RANDOM_H
#define SYS_RANDOM_H

#include <sys/types.h>

/** The state of the `n`-th series of a seed; series of the same seed have nothing to do with each other. */
static inline uint64_t
random_series(uint64_t seed, uint64_t n)
{
	return ((seed * 0x9e3779b97f4a7c15ull ^ (n + 1) * 0xbf58476d1ce4e5b9ull) | 1);
}

/** A number below n [Marsaglia's xorshift, multiplied]. The first one of a series is not worth much. */
static inline uint_t
random_below(uint64_t *state, uint_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return ((uint_t)((*state * 0x2545f4914f6cdd1dull) >> 33) % n);
}

#endif
