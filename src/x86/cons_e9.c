/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Port E9: Bochs writes its bytes to its standard output, at one instruction each. Needs no preparation.
 */
#include <kern/console.h>
#include <x86/cpufunc.h>

void
cons_e9_write(const char *s, size_t n)
{
	outsb(0xe9, s, n);
}
