/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Only where the program counts what it executes: write it down before the program ends, as it does, by _exit().
 *
 * Outside. Linked with --wrap=_exit, so that no other file knows of it.
 */

void __gcov_dump(void);
void __real__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code) __attribute__((noreturn));

void
__wrap__exit(int code)
{
	__gcov_dump();
	__real__exit(code);
}
