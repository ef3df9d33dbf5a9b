/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Sum of the primes below 8192, with 32 flags to a page and one page in each 2 MiB: a page table for each.
 */
#include <user.h>

#define N      8192u
#define FLAGS  32u /* to a page */
#define STRIDE 0x200000ul

static char *base;

static char *
flag(uint32_t i)
{
	return (base + i / FLAGS * STRIDE + i % FLAGS * (4096 / FLAGS));
}

int
main(const char *arg)
{
	uint32_t sum = 0;

	(void)arg;
	base = mmap(NULL, N / FLAGS * STRIDE, PROT_READ | PROT_WRITE);
	must("sieve", base != MAP_FAILED);
	for (uint32_t i = 2; i * i < N; i++)
		for (uint32_t k = i * i; *flag(i) == 0 && k < N; k += i)
			*flag(k) = 1;
	for (uint32_t i = 2; i < N; i++)
		if (*flag(i) == 0)
			sum += i;
	done("sieve", sum);
}
