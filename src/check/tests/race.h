/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Several CPUs that do something at the same moment, again and again.
 *
 * Bochs gives each CPU five instructions in turn, always the same way: what varies from round to round is how long each side
 * waits before it begins.
 */
#ifndef CHECK_TESTS_RACE_H
#define CHECK_TESTS_RACE_H

#include <sys/types.h>

#define RACE_SIDES 4u

/** What is raced. Sides are numbered from 0; side 0 runs `between` while the others wait. */
struct race {
	void (*fn)(uint_t side, uint_t round);
	void (*between)(uint_t round); /**< judge this round, prepare the next one */
	uint_t rounds;
	uint_t scale; /**< sides begin up to 31 times so many loops apart */
};

/**
 * Run the rounds, each side on a CPU of its own: all there are, at most RACE_SIDES.
 * @return how many sides; 0: there is one CPU only, which the check's notes say, and nothing has been run. Ends the check as
 *         wrong if race_true() failed somewhere, after all sides have stopped.
 */
uint_t race_run(const struct race *r);
/** What must hold, said by any side; the first failure ends the race after this round. */
#define race_true(cond, ...) ((cond) ? (void)0 : race_wrong(__FILE__, __LINE__, __VA_ARGS__))
void race_wrong(const char *file, int line, const char *fmt, ...) PRINTFLIKE(3, 4);
/** Spend some time. */
void race_wait(uint_t loops);

#endif
