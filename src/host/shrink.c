/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: a history that fails, made as short as it can be.
 *
 * The steps of the failing run are written down; then parts of them are left out, halves first, single ones last, as long as what is
 * left still fails. Each try is a process of its own. Nothing here knows what a step is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "machine.h"
#include "shrink.h"

#define TRY_SECONDS 60  /* of one try */
#define ALL_SECONDS 120 /* of all tries; then what there is is shown */
#define SHORT       400 /* steps: so few can be compared after each */

/** The history at hand. */
static struct {
	struct machine_options o;
	unsigned char *ops;
	unsigned long n, size; /* steps, bytes of one */
	unsigned long *reached;
	unsigned tries;
	time_t until;
} now;

static void *
shared(unsigned long bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return (p);
}

static void
be_quiet(void)
{
	if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
		_exit(0);
}

/** Run with these options in a process. @return whether it fails */
static bool
fails(const struct machine_options *o, bool quiet)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int code;

		alarm(TRY_SECONDS);
		if (quiet)
			be_quiet();
		code = inside_main(o);
		fflush(stdout);
		_exit(code);
	}
	now.tries++;
	return (pid > 0 && waitpid(pid, &status, 0) == pid && !(WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

/** Does it fail with these steps, after the same step or earlier? Then they are the history. */
static bool
take(const unsigned char *ops, unsigned long n, unsigned long every)
{
	struct machine_options o = now.o;

	o.script = ops;
	o.steps = n;
	o.every = every;
	o.reached = now.reached;
	*now.reached = 0;
	if (!fails(&o, true))
		return (false);
	now.o.every = every;
	now.n = *now.reached;
	memmove(now.ops, ops, now.n * now.size);
	return (true);
}

/** Without `length` steps from `at` on. */
static bool
take_without(unsigned long at, unsigned long length, unsigned char *scratch)
{
	unsigned long rest = now.n - at - length;

	memcpy(scratch, now.ops, at * now.size);
	memcpy(scratch + at * now.size, now.ops + (at + length) * now.size, rest * now.size);
	return (take(scratch, now.n - length, now.o.every));
}

static bool
time_is_over(void)
{
	return (time(NULL) > now.until);
}

/** One pass from the end to the beginning. @return whether something could be left out */
static bool
pass(unsigned long length, unsigned char *scratch)
{
	bool any = false;
	unsigned long at = now.n;

	while (at > 0 && !time_is_over()) {
		unsigned long from = at > length ? at - length : 0;

		if (at <= now.n && take_without(from, at - from, scratch))
			any = true;
		at = from < now.n ? from : now.n;
	}
	return (any);
}

static void
shrink_all(unsigned char *scratch)
{
	unsigned long length = now.n / 2;

	while (length > 0 && !time_is_over()) {
		fprintf(stderr, "shrink: %lu steps, %u tries\n", now.n, now.tries);
		if (now.n <= SHORT && now.o.every != 1)
			(void)take(now.ops, now.n, 1);
		if (!pass(length, scratch) || length > 1)
			length = length > now.n ? now.n / 2 : length / 2;
	}
}

/** The shortest that was found, as C, and what it says. */
static void
show(void)
{
	struct machine_options o = now.o;

	printf("shrink: %lu steps fail, after %u tries%s. As a test, for src/host/test_replays.c:\n", now.n, now.tries,
	    time_is_over() ? " (time was over)" : "");
	printf("static const struct op seed_%lu[] = {\n", now.o.seed);
	o.script = now.ops;
	o.steps = now.n;
	o.as_c = 1;
	(void)fails(&o, false);
}

int
shrink(const struct machine_options *o)
{
	unsigned char *scratch;

	now.o = *o;
	now.size = inside_op_size();
	now.ops = shared(o->steps * now.size);
	now.reached = shared(sizeof(*now.reached));
	scratch = shared(o->steps * now.size);
	now.until = time(NULL) + ALL_SECONDS;
	now.o.record = now.ops;
	now.o.reached = now.reached;
	if (!fails(&now.o, true)) {
		printf("shrink: this history does not fail\n");
		return (0);
	}
	now.o.record = NULL;
	now.n = *now.reached;
	if (now.n == 0) {
		printf("shrink: it fails before its first step\n");
		return (1);
	}
	if (!take(now.ops, now.n, o->every)) {
		printf("shrink: %lu steps fail once, and not when they are repeated\n", now.n);
		return (1);
	}
	shrink_all(scratch);
	show();
	return (1);
}
