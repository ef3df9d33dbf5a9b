/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief For checks whose copy touches more than the scratch address space: what they have set up is undone, however they end.
 */
#ifndef CHECK_GUARD_H
#define CHECK_GUARD_H

/**
 * Call fn(), which uses the copy under test. If it does not return (a stub, a panic, a check that fails in it), undo() is called,
 * with the reference everywhere, before the check ends.
 */
void check_guarded(void (*fn)(void), void (*undo)(void));

#endif
