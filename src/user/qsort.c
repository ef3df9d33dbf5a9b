/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One megabyte of numbers, sorted; the checksum knows their order.
 */
#include <user.h>

#define N (1u << 18)

static uint32_t a[N];

static void
sort(uint32_t *lo, uint32_t *hi)
{
	while (lo < hi) {
		uint32_t pivot = lo[(hi - lo) / 2], *i = lo, *j = hi, t;

		while (i <= j) {
			while (*i < pivot)
				i++;
			while (*j > pivot)
				j--;
			if (i > j)
				break;
			t = *i;
			*i++ = *j;
			*j-- = t;
		}
		sort(lo, j); /* the rest in this very frame */
		lo = i;
	}
}

int
main(const char *arg)
{
	uint32_t seed = 3, sum = 0;

	(void)arg;
	for (uint32_t i = 0; i < N; i++)
		a[i] = next(&seed);
	sort(a, a + N - 1);
	for (uint32_t i = 0; i < N; i++)
		sum += a[i] * (i + 1);
	done("qsort", sum);
}
