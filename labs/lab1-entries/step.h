/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One instruction at a time: something else happens between any two instructions of a short function.
 *
 * What a second CPU or the MMU could do at an unlucky moment is done at each moment, on one CPU, the same way each time.
 */
#ifndef LAB1_STEP_H
#define LAB1_STEP_H

#include <sys/types.h>

#define STEP_MAX 20000 /**< instructions; then the function runs on by itself */

/**
 * Call func(a, b, c), and between(n) after its n-th instruction (0: before the first; the call's own count too). Preemption is
 * off meanwhile. `func` must not reach a stub: a check that calls it plainly comes first.
 * @param between  runs with interrupts off, and must not take any lock
 * @return         what func returns; *steps, if not NULL: how many instructions there were
 */
uint64_t step_through(uint64_t (*func)(volatile void *a, uint64_t b, uint64_t c), volatile void *a, uint64_t b, uint64_t c,
    void (*between)(uint_t n), uint_t *steps);
/**
 * Call func() and count the instructions in it that drop translations: INVLPG, and stores to CR3 and CR4. Whether a TLB has
 * one to drop depends on where things happen to be; whether it is told to does not. The same rules.
 */
uint_t step_flushes(void (*func)(void));

#endif
