/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Copies that survive a fault. The work is md_copy_fault()'s, whose faults trap() sends to its fix-up.
 */
#include <sys/md.h>
#include <sys/peek.h>

bool
peek(const void *src, void *dst, size_t n)
{
	return (md_copy_fault(dst, src, n));
}

bool
poke(void *dst, const void *src, size_t n)
{
	return (md_copy_fault(dst, src, n));
}
