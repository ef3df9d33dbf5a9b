/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The number that htable_hash() multiplies by.
 *
 * Nobody can aim at a hash whose secret is drawn at boot. But a product is linear: with some secrets, a few in a hundred, bases that
 * are equally far apart, which is what programs have, fall on few chains. Those secrets are not taken.
 */
#include <hat/htable_impl.h>
#include <sys/string.h>
#include <x86/cpufunc.h>

#define NBASES   256u
#define LONGEST  6 /* of 256 bases on 256 chains: nearly all secrets do better, chance alone would not */
#define MAXDRAWS 32
#define LOWEST   21 /* what a table of the lowest level covers: 2 MiB */
#define HIGHEST  (sizeof(uintptr_t) == 8 ? 39 : 29)

/** Whether bases of user addresses, 2^shift bytes apart, are spread by the secret as it is. */
static bool
spreads(uint_t shift)
{
	uint_t n = sizeof(uintptr_t) == 8 ? NBASES : MIN(NBASES, 1u << (32 - shift));
	uint8_t count[NBASES];

	memset(count, 0, sizeof(count));
	for (uint_t i = 0; i < n; i++)
		if (++count[htable_hash(kas_hat, (uintptr_t)i << shift, 0) & (n - 1)] > LONGEST)
			return (false);
	return (true);
}

static bool
good_secret(void)
{
	for (uint_t shift = LOWEST; shift <= HIGHEST; shift++)
		if (!spreads(shift))
			return (false);
	return (true);
}

void
htable_secret_draw(void)
{
	uint64_t x = rdtsc();

	/* A hash of another kind may do worse with every secret: it has the last one. */
	for (uint_t i = 0; i < MAXDRAWS; i++) {
		x = (x + 1) * 0x9e3779b97f4a7c15ull;
		htable_secret = (uintptr_t)(x >> (64 - 8 * sizeof(uintptr_t))) | 1;
		if (good_secret())
			return;
	}
}
