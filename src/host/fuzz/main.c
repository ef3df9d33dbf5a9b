/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: libFuzzer's side. The program's name says which target: fuzz-boot, ...
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <host/machine.h>
#include "fuzz.h"

static const struct fuzz_target *const targets[] = { &fuzz_boot, &fuzz_cmdline, &fuzz_elf, &fuzz_history };
static const struct fuzz_target *target;

static struct {
	const unsigned char *data;
	unsigned long size;
} input;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = strrchr((*argv)[0], '-');

	(void)argc;
	for (size_t i = 0; name != NULL && i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(name + 1, targets[i]->name) == 0)
			target = targets[i];
	if (target == NULL) {
		fprintf(stderr,
		    "%s: this program is called by the name of a target: fuzz-boot, fuzz-cmdline, fuzz-elf, fuzz-history\n",
		    (*argv)[0]);
		exit(2);
	}
	if (target->once != NULL)
		target->once();
	signal(SIGALRM, SIG_DFL); /* libFuzzer has a clock of its own */
	return (0);
}

static void
try_input(void *arg)
{
	(void)arg;
	target->try_one(input.data, input.size);
}

static int
is_refusal(const char *text)
{
	for (const char *const *r = target->refusals; r != NULL && *r != NULL; r++)
		if (strncmp(text, *r, strlen(*r)) == 0)
			return (1);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512];

	input.data = data;
	input.size = size;
	if (machine_try(try_input, NULL, text, sizeof(text)) && !is_refusal(text)) {
		fflush(stdout);
		fprintf(stderr, "panic: %s\n", text);
		abort();
	}
	return (0);
}
