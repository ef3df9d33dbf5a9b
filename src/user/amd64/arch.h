/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief 64-bit programs: system calls, and addresses worth trying.
 */
#ifndef USER_ARCH_H
#define USER_ARCH_H

static inline long
syscall(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "memory");
	return (r);
}

/** Regions far from each other: other tables at every level, both sides of the hole, and the page below it. */
#define FAR_1 0x000000003fffe000ul
#define FAR_2 0x00007fffffff0000ul
#define FAR_3 0xffff800000000000ul
#define FAR_4 0x0000007fffffe000ul

#define KERNEL_ADDRESS  0xffffffff80200000ul
#define HOLE_ADDRESS    0x0000800000000000ul
#define NO_CODE_ADDRESS (HOLE_ADDRESS - 4096) /**< data may be here, code may not */
#define PROGRAM_OTHER   "execer32"

#endif
