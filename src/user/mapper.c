/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Maps, unmaps and protects at random, and compares what is there with a model of it; now and then a child does too.
 *
 * Slots are pages in regions far apart, with gaps and without, across the borders of tables.
 */
#include <user.h>

#define SLOTS 64
#define STEPS 1500

static const uintptr_t region[] = { FAR_1, FAR_2 - 0x20000, FAR_3 + 0x100000, FAR_4 };

static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };

static struct slot {
	int prot;       /* -1: not mapped */
	uint32_t value; /* of its first word */
} model[SLOTS];

static volatile uint32_t *
address(uint32_t i)
{
	return ((volatile uint32_t *)(region[i % 4] + i / 4 * 4096));
}

static void
compare(uint32_t i)
{
	if (model[i].prot > 0)
		must("mapper", *address(i) == model[i].value);
}

static void
map(uint32_t i)
{
	void *va = (void *)address(i);

	if (model[i].prot >= 0) {
		must("mapper", mmap(va, 4096, PROT_READ) == MAP_FAILED);
		return;
	}
	must("mapper", mmap(va, 4096, PROT_READ | PROT_WRITE) == va);
	model[i] = (struct slot){ PROT_READ | PROT_WRITE, 0 };
}

static void
unmap(uint32_t i)
{
	must("mapper", munmap((void *)address(i), 4096) == 0);
	model[i].prot = -1;
}

static void
protect(uint32_t i, int prot)
{
	int r = mprotect((void *)address(i), 4096, prot);

	must("mapper", (r == 0) == (model[i].prot >= 0));
	if (model[i].prot >= 0)
		model[i].prot = prot;
}

static void
store(uint32_t i, uint32_t value)
{
	if (model[i].prot <= 0 || !(model[i].prot & PROT_WRITE))
		return;
	compare(i);
	*address(i) = value;
	model[i].value = value;
}

/* A child finds the same, changes it, and the parent does not notice. */
static void
visit(void)
{
	int status = -1, pid = fork();

	must("mapper", pid >= 0);
	for (uint32_t i = 0; i < SLOTS; i++) {
		compare(i);
		if (pid == 0)
			store(i, 0xdead0000u + i);
	}
	if (pid == 0)
		exit(0);
	must("mapper", wait(&status) == pid);
	must("mapper", status == 0);
}

int
main(const char *arg)
{
	uint32_t seed = 4, sum = 0;

	(void)arg;
	for (uint32_t i = 0; i < SLOTS; i++)
		model[i].prot = -1;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t r = next(&seed) >> 8, i = r % SLOTS, what = r / SLOTS % 16;

		compare(i);
		if (what < 4)
			map(i);
		else if (what < 6)
			unmap(i);
		else if (what < 9)
			protect(i, protections[what - 6]);
		else
			store(i, r);
		if (step % 500 == 499)
			visit();
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		compare(i);
		sum = sum * 31 + (uint32_t)(model[i].prot + 1) + (model[i].prot > 0 ? model[i].value : 0);
	}
	done("mapper", sum);
}
