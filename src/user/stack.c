/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Recursion over a megabyte of stack, and back, finding every frame as it was left.
 */
#include <user.h>

#define DEPTH 2000
#define WORDS 128 /* of a frame: half a kilobyte */

static uint32_t NOINLINE
descend(uint32_t depth)
{
	volatile uint32_t frame[WORDS];
	uint32_t below, sum = 0;

	for (uint32_t i = 0; i < WORDS; i += 16)
		frame[i] = depth * 2654435761u + i;
	below = depth == 0 ? 1 : descend(depth - 1);
	for (uint32_t i = 0; i < WORDS; i += 16) {
		must("stack", frame[i] == depth * 2654435761u + i);
		sum ^= frame[i];
	}
	return (below * 3 + sum);
}

int
main(const char *arg)
{
	(void)arg;
	done("stack", descend(DEPTH));
}
