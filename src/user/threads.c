/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Threads write while their process forks: no write may be lost, and no child may see one that came later.
 *
 * Each fork makes every page read-only, on every CPU, at once; a CPU that kept an old translation would write into a page
 * that is now the child's too. The main thread then writes to the same pages first, so that they are copied: a CPU with an old
 * translation would go on in the page that was left behind.
 */
#include <user.h>

#define WORKERS 3
#define FORKS   12

static volatile struct page {
	uint32_t count; /* written by its worker only */
	uint32_t stamp; /* written by the main thread only */
	uint32_t last;  /* by the worker: its last count */
	uint32_t ended;
	uint32_t rest[1020];
} page[WORKERS] ALIGNED(4096);
static volatile uint32_t stop ALIGNED(4096);

static void
work(uintptr_t i)
{
	uint32_t mine = 0, stamp = 0;

	while (!stop || mine < 1000) {
		must("threads", page[i].count == mine);
		page[i].count = ++mine;
		must("threads", page[i].stamp >= stamp);
		stamp = page[i].stamp;
		if (mine % 4096 == 0)
			yield();
	}
	page[i].last = mine;
	page[i].ended = 1;
}

static void
child(void)
{
	uint32_t seen[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		seen[i] = page[i].count;
	for (int n = 0; n < 3; n++) {
		yield();
		for (volatile int spin = 0; spin < 3000; spin++)
			continue;
		for (int i = 0; i < WORKERS; i++)
			must("threads", page[i].count == seen[i]);
	}
	exit(0);
}

int
main(const char *arg)
{
	uint32_t sum = 0;
	int status;

	(void)arg;
	for (uintptr_t i = 0; i < WORKERS; i++)
		must("threads", thread(work, i) == 0);
	must("threads", exec("sieve", "") == -1); /* not while others run in here */
	for (uint32_t n = 1; n <= FORKS; n++) {
		int pid = fork();

		must("threads", pid >= 0);
		if (pid == 0)
			child();
		for (int i = 0; i < WORKERS; i++)
			page[i].stamp = n;
		yield();
		must("threads", wait(&status) == pid && status == 0);
	}
	stop = 1;
	for (int i = 0; i < WORKERS; i++) {
		while (!page[i].ended)
			yield();
		must("threads", page[i].last == page[i].count && page[i].count >= 1000);
		sum += page[i].stamp;
	}
	done("threads", sum);
}
