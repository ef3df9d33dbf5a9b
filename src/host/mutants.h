/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A unit with its mutants in one object: which of them is called is chosen when the program starts (docs/mutants.md).
 *
 * The file that src/tools/mutants.py writes has each function as often as there are mutants, f__m0 (the original), f__m1 ...; under
 * the function's own name stands a jump into the table of them.
 */
#ifndef HOST_MUTANTS_H
#define HOST_MUTANTS_H

#include <width.h>

struct mutant_unit {
	const char *mu_unit;
	unsigned *mu_chosen;
	unsigned mu_count;
};

/** Choose "UNIT:NUMBER"; NULL: none. Panics when the program has it not. */
void mutants_choose(const char *which);

/** The function `name`, of which these are the copies. */
#define MUTANT_FUNCTION(name, ...) \
	static void *const name##__all[] __attribute__((used)) = { __VA_ARGS__ }; \
	__asm__( \
	    ".text; .globl " #name "; .type " #name ", @function; " #name ": " MUTANT_JUMP(name) "; .size " #name ", . - " #name);

/** Once in a file: how many mutants it has. */
#define MUTANT_UNIT(name, count) \
	static unsigned mutant_chosen __attribute__((used)); \
	static const struct mutant_unit mutant_unit \
	    __attribute__((used, section("mutants"), aligned(sizeof(void *)))) = { name, &mutant_chosen, count };

#endif
