/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief How a 32-bit program that counts adds to a counter of 8 bytes; elsewhere it is libatomic's, and a 64-bit one needs none.
 */

#ifdef __i386__
unsigned long long add_64(volatile unsigned long long *p, unsigned long long n, int order) __asm__("__atomic_fetch_add_8");

unsigned long long
add_64(volatile unsigned long long *p, unsigned long long n, int order)
{
	unsigned long long old = *p, found;

	(void)order;
	while ((found = __sync_val_compare_and_swap(p, old, old + n)) != old)
		old = found;
	return (old);
}
#endif
