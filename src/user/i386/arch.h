/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief 32-bit programs: system calls, and addresses worth trying.
 */
#ifndef USER_ARCH_H
#define USER_ARCH_H

static inline long
syscall(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
	return (r);
}

/** Regions far from each other: other tables at every level. The last one is under the stack's table. */
#define FAR_1 0x0bff0000ul
#define FAR_2 0x3fffe000ul
#define FAR_3 0xa0000000ul
#define FAR_4 0x7ffff000ul

#define KERNEL_ADDRESS  0xfffff000ul   /**< no program's, on either kernel */
#define HOLE_ADDRESS    KERNEL_ADDRESS /**< there is no hole */
#define NO_CODE_ADDRESS KERNEL_ADDRESS
#define PROGRAM_OTHER   "execer" /**< what execer becomes: itself with the other width, if there is one */

#endif
