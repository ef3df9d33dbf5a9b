/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief How a program of 32 bits that counts adds to a counter of 8 bytes (elsewhere that is in libatomic); only i386 is built with it.
 *
 * One half after the other, each at once: no addition is lost, and nobody reads before the end. Counting is most of what a counting
 * kernel does, so nothing is returned: gcc never asks.
 */

void add_64(volatile unsigned int *p, unsigned long long n, int order) __asm__("__atomic_fetch_add_8");

void
add_64(volatile unsigned int *p, unsigned long long n, int order)
{
	(void)order;
	__asm__ volatile("lock addl %2, %0; jnc 1f; lock incl %1; 1:" : "+m"(p[0]), "+m"(p[1]) : "r"((unsigned int)n) : "cc");
}
