/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A tree of processes over the same pages, copied on write: each node changes its pages, and must find nobody else's
 * changes in them.
 *
 * The value of a node is that of its pages plus its children's, modulo 251: an exit status carries it up.
 */
#include <user.h>

#define DEPTH 3
#define PAGES 16
#define WORDS 1024

static uint32_t page[PAGES][WORDS] ALIGNED(4096);

/* A few words of each page are enough to see whose it is. */
static void
change(uint32_t node)
{
	for (uint32_t p = node % 3; p < PAGES; p += 3)
		for (uint32_t w = 0; w < WORDS; w += 128)
			page[p][w] = page[p][w] * 5 + node;
}

static uint32_t
sum_pages(void)
{
	uint32_t sum = 0;

	for (uint32_t p = 0; p < PAGES; p++)
		for (uint32_t w = 0; w < WORDS; w += 128)
			sum = sum * 7 + page[p][w];
	return (sum % 251);
}

static uint32_t
node(uint32_t number, int depth)
{
	uint32_t mine, sum;
	int status;

	change(number);
	mine = sum = sum_pages();
	for (uint32_t child = 0; depth > 0 && child < 2; child++) {
		int pid = fork();

		must("forktree", pid >= 0);
		if (pid == 0)
			exit((int)node(2 * number + child, depth - 1));
		must("forktree", sum_pages() == mine);
	}
	while (depth > 0 && wait(&status) > 0) {
		must("forktree", status < 251);
		sum += (uint32_t)status;
	}
	must("forktree", sum_pages() == mine);
	return (sum % 251);
}

int
main(const char *arg)
{
	(void)arg;
	for (uint32_t p = 0; p < PAGES; p++)
		for (uint32_t w = 0; w < WORDS; w += 128)
			page[p][w] = p * WORDS + w;
	done("forktree", node(1, DEPTH));
}
