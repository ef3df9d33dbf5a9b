/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief 64-bit division, which the compiler leaves to functions of these names on a 32-bit CPU.
 *
 * divl divides 64 by 32 bits when the quotient fits into 32. A divisor below 2^32 takes two of them, schoolbook fashion, the
 * first one's remainder carried into the second. A larger divisor has a quotient below 2^32, which is estimated from
 * the divisor's upper 32 bits and is then at most one too large (Warren, Hacker's Delight, 9-5).
 */
#include <sys/types.h>

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rem);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divmoddi4(int64_t n, int64_t d, int64_t *rem);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

/* high < d, else the CPU raises a divide error */
static inline uint32_t
divl(uint32_t high, uint32_t low, uint32_t d, uint32_t *rem)
{
	uint32_t q;

	__asm__("divl %4" : "=a"(q), "=d"(*rem) : "0"(low), "1"(high), "rm"(d) : "cc");
	return (q);
}

static uint64_t
divide_by_word(uint64_t n, uint32_t d, uint64_t *rem)
{
	uint32_t high, low, r;

	high = divl(0, (uint32_t)(n >> 32), d, &r);
	low = divl(r, (uint32_t)n, d, &r);
	*rem = r;
	return ((uint64_t)high << 32 | low);
}

static uint64_t
divide_by_long(uint64_t n, uint64_t d, uint64_t *rem)
{
	int shift = __builtin_clz((uint32_t)(d >> 32));
	uint32_t d_top = (uint32_t)(d << shift >> 32), q, r;
	uint64_t half = n >> 1; /* so that its upper word is below d_top, whose top bit is set */

	q = divl((uint32_t)(half >> 32), (uint32_t)half, d_top, &r);
	q = (uint32_t)((uint64_t)q << shift >> 31);
	if (q != 0)
		q--;
	*rem = n - q * d;
	if (*rem >= d) {
		q++;
		*rem -= d;
	}
	return (q);
}

uint64_t
__udivmoddi4(uint64_t n, uint64_t d, uint64_t *rem)
{
	uint64_t r, q;

	q = d >> 32 == 0 ? divide_by_word(n, (uint32_t)d, &r) : divide_by_long(n, d, &r);
	if (rem != NULL)
		*rem = r;
	return (q);
}

uint64_t
__udivdi3(uint64_t n, uint64_t d)
{
	return (__udivmoddi4(n, d, NULL));
}

uint64_t
__umoddi3(uint64_t n, uint64_t d)
{
	uint64_t r;

	(void)__udivmoddi4(n, d, &r);
	return (r);
}

/* C rounds towards zero: divide the absolute values; the remainder takes the dividend's sign. */
int64_t
__divmoddi4(int64_t n, int64_t d, int64_t *rem)
{
	uint64_t r, q;

	q = __udivmoddi4(n < 0 ? -(uint64_t)n : (uint64_t)n, d < 0 ? -(uint64_t)d : (uint64_t)d, &r);
	if (rem != NULL)
		*rem = (int64_t)(n < 0 ? -r : r);
	return ((int64_t)((n < 0) != (d < 0) ? -q : q));
}

int64_t
__divdi3(int64_t n, int64_t d)
{
	return (__divmoddi4(n, d, NULL));
}

int64_t
__moddi3(int64_t n, int64_t d)
{
	int64_t r;

	(void)__divmoddi4(n, d, &r);
	return (r);
}
