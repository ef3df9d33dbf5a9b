/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The places themselves. Never inlined, never merged: each has an address, and its arguments where a call puts them.
 *
 * None is a single instruction: with several CPUs Bochs may pass over a breakpoint at the first one.
 */
#include <check/evidence.h>

#ifdef __clang__
#	define PLACE __attribute__((noinline)) /* it has no noclone, and clones nothing that others can see */
#else
#	define PLACE __attribute__((noinline, noclone))
#endif

void PLACE
evidence_begin(const struct check *c, ulong_t pass)
{
	__asm__ volatile("nop # begin" : : "r"(c), "r"(pass) : "memory");
}

void PLACE
evidence_copy_on(const struct check *c, ulong_t uses)
{
	__asm__ volatile("nop # copy on" : : "r"(c), "r"(uses) : "memory");
}

void PLACE
evidence_copy_off(const struct check *c, ulong_t uses)
{
	__asm__ volatile("nop # copy off" : : "r"(c), "r"(uses) : "memory");
}

void PLACE
evidence_end(const struct check *c, ulong_t result)
{
	__asm__ volatile("nop # end" : : "r"(c), "r"(result) : "memory");
}

void PLACE
evidence_exit(const char *name, ulong_t status)
{
	__asm__ volatile("nop # exit" : : "r"(name), "r"(status) : "memory");
}
