/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: the command line, and the fixed list of runs.
 *
 * Each run of the list is a process of its own, because a machine is switched on once. With --test there is one run, here.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "machine.h"
#include "shrink.h"

/* What the sanitizers are to do; ASAN_OPTIONS in the environment overrides it. Memory is counted by the tests. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return ("detect_leaks=0:allocator_may_return_null=0:quarantine_size_mb=16:malloc_context_size=12:handle_segv=1");
}

const char *
__ubsan_default_options(void)
{
	return ("print_stacktrace=1:halt_on_error=1");
}

static const struct machine_options defaults = {
	.test = "history",
	.cmdline = "",
	.cpus = 4,
	.seed = 1,
	.steps = 100000,
	.every = 1000,
	.patience = 3000,
};

#define RUN_SECONDS 60 /**< a run of the list takes two */

static const char usage[] = "usage: %s                            the fixed list of runs\n"
			    "       %s --list                     their options, a line each\n"
			    "       %s --test NAME [options]      one run: a test of the list, panic, or oracle\n"
			    "  --args \"WORDS\"   the kernel's command line: kpm=0 force_steal=3 page_fail_after=7 ...\n"
			    "  --cpus N         pretend CPUs, 1 to 8 (4)\n"
			    "  --no-1g --no-nx --no-pge --no-cx8   a pretend CPU without that\n"
			    "  --seed N --steps N         of a history (1, 100000)\n"
			    "  --every N        steps from one complete comparison to the next (1000)\n"
			    "  --kmem-fail N    let every N-th request for an object fail\n"
			    "  --shrink         of a history that fails: find a short one that does, and print it as C\n"
			    "  --mutant UNIT:N  in programs that have mutants: this one (src/tools/mutants.py)\n"
			    "  --patience N     milliseconds of this program's time for a lab's check (3000)\n"
			    "  --verbose        print records and dumps too\n";

static bool shrinks;

static void
bad_usage(const char *program)
{
	fprintf(stderr, usage, program, program, program);
	exit(2);
}

static const char *
value(int argc, char **argv, int *i)
{
	if (++*i >= argc)
		bad_usage(argv[0]);
	return (argv[*i]);
}

static unsigned long
number(int argc, char **argv, int *i)
{
	const char *s = value(argc, argv, i);
	char *end;
	unsigned long n = strtoul(s, &end, 0);

	if (*s == '\0' || *end != '\0')
		bad_usage(argv[0]);
	return (n);
}

static bool
number_option(int argc, char **argv, int *i, struct machine_options *o)
{
	const char *w = argv[*i];

	if (strcmp(w, "--cpus") == 0)
		o->cpus = (unsigned)number(argc, argv, i);
	else if (strcmp(w, "--seed") == 0)
		o->seed = number(argc, argv, i);
	else if (strcmp(w, "--steps") == 0)
		o->steps = number(argc, argv, i);
	else if (strcmp(w, "--every") == 0)
		o->every = number(argc, argv, i);
	else if (strcmp(w, "--kmem-fail") == 0)
		o->kmem_fail = number(argc, argv, i);
	else if (strcmp(w, "--patience") == 0)
		o->patience = (unsigned)number(argc, argv, i);
	else
		return (false);
	return (true);
}

/** One word. @return false: not one of ours */
static bool
option(int argc, char **argv, int *i, struct machine_options *o)
{
	const char *w = argv[*i];

	if (strcmp(w, "--test") == 0)
		o->test = value(argc, argv, i);
	else if (strcmp(w, "--mutant") == 0)
		o->mutant = value(argc, argv, i);
	else if (strcmp(w, "--args") == 0)
		o->cmdline = value(argc, argv, i);
	else if (strcmp(w, "--no-1g") == 0)
		o->no_1g = 1;
	else if (strcmp(w, "--no-nx") == 0)
		o->no_nx = 1;
	else if (strcmp(w, "--no-pge") == 0)
		o->no_pge = 1;
	else if (strcmp(w, "--no-cx8") == 0)
		o->no_cx8 = 1;
	else if (strcmp(w, "--verbose") == 0)
		o->verbose = 1;
	else if (strcmp(w, "--shrink") == 0)
		shrinks = true;
	else
		return (number_option(argc, argv, i, o));
	return (true);
}

/* ------------------------------------------------------------------ the fixed list */

#define ANY 0 /* widths at which a run makes sense */
#define W64 8 /* bytes of a pointer */
#define W32 4

static const struct run {
	int width;
	struct machine_options o;
} runs[] = {
#define RUN(w, t, a, n, s, k, ...) \
	{ \
		w, { .test = t, .cmdline = a, .cpus = n, .seed = s, .steps = k, .every = 1000, __VA_ARGS__ } \
	}
	RUN(ANY, "boot", "", 1, 1, 0),
	RUN(ANY, "boot", "", 4, 1, 0),
	RUN(W64, "boot", "kpm=0", 4, 1, 0),
	RUN(W32, "boot", "pae=0", 4, 1, 0),
	RUN(W32, "boot", "pae=0 pse=0", 2, 1, 0),
	RUN(W64, "boot", "", 2, 1, 0, .no_1g = 1),
	RUN(ANY, "boot", "", 2, 1, 0, .no_nx = 1, .no_pge = 1),
	RUN(ANY, "pure", "", 2, 1, 0),
	RUN(W64, "pure", "kpm=0", 2, 1, 0, .no_1g = 1),
	RUN(W32, "pure", "pae=0", 2, 1, 0),
	RUN(W32, "pure", "pae=0 pse=0", 2, 1, 0),
	RUN(ANY, "branches", "", 2, 1, 0),
	RUN(W64, "branches", "kpm=0", 2, 1, 0),
	RUN(W32, "branches", "pae=0", 2, 1, 0),
	RUN(W32, "branches", "pae=0 pse=0", 2, 1, 0),
	RUN(W64, "branches", "", 2, 1, 0, .no_1g = 1),
	RUN(ANY, "build", "", 2, 1, 0),
	RUN(W64, "build", "kpm=0", 1, 1, 0, .no_1g = 1),
	RUN(W32, "build", "pae=0", 2, 1, 0),
	RUN(W32, "build", "pae=0 pse=0", 1, 1, 0),
	RUN(ANY, "misuse", "", 2, 1, 0),
	RUN(W32, "misuse", "pae=0", 2, 1, 0),
	RUN(W32, "misuse", "pae=0 pse=0", 2, 1, 0),
	RUN(ANY, "steal", "", 2, 1, 0),
	RUN(W64, "steal", "kpm=0", 2, 1, 0),
	RUN(W64, "steal", "", 2, 1, 0, .no_1g = 1),
	RUN(W32, "steal", "pae=0", 2, 1, 0),
	RUN(W32, "steal", "pae=0 pse=0", 2, 1, 0),
	RUN(ANY, "share", "", 2, 1, 0),
	RUN(W64, "share", "kpm=0", 1, 2, 0),
	RUN(W32, "share", "pae=0", 2, 3, 0),
	RUN(W32, "share", "pae=0 pse=0", 1, 4, 0),
	RUN(ANY, "replays", "", 2, 1, 0),
	RUN(W64, "replays", "kpm=0", 2, 1, 0),
	RUN(W32, "replays", "pae=0 pse=0", 2, 1, 0),
	RUN(ANY, "drill", "", 2, 1, 1000),
	RUN(W64, "drill", "kpm=0", 1, 2, 1000),
	RUN(W32, "drill", "pae=0", 1, 3, 1000),
	RUN(W32, "drill", "pae=0 pse=0", 1, 4, 1000),
	RUN(ANY, "drill", "", 1, 5, 1000, .no_nx = 1, .no_pge = 1),
	RUN(ANY, "history", "", 1, 1, 100000),
	RUN(ANY, "history", "", 4, 2, 100000),
	RUN(W32, "history", "pae=0", 4, 3, 100000),
	RUN(W32, "history", "pae=0 pse=0", 3, 4, 50000),
	RUN(W64, "history", "kpm=0", 4, 3, 100000),
	RUN(W64, "history", "", 3, 4, 50000, .no_1g = 1),
	RUN(ANY, "history", "", 2, 5, 50000, .no_nx = 1, .no_pge = 1),
	RUN(ANY, "history", "force_steal=2 page_fail_after=5", 3, 6, 50000, .kmem_fail = 3),
};

/** What the command line of a run is, without the program. */
static void
say_options(const struct machine_options *o)
{
	printf("--test %s --cpus %u --seed %lu --steps %lu --every %lu", o->test, o->cpus, o->seed, o->steps, o->every);
	if (o->cmdline[0] != '\0')
		printf(" --args \"%s\"", o->cmdline);
	if (o->kmem_fail != 0)
		printf(" --kmem-fail %lu", o->kmem_fail);
	printf("%s%s%s\n", o->no_1g ? " --no-1g" : "", o->no_nx ? " --no-nx" : "", o->no_pge ? " --no-pge" : "");
}

static void
say_run(const struct machine_options *o)
{
	printf("%s: ", FLAVOR);
	say_options(o);
	fflush(stdout);
}

/** In a process of its own. @return whether all was well */
static bool
run_one(const char *program, const struct run *r)
{
	struct machine_options own = r->o, *o = &own;
	int status;
	pid_t pid;

	own.program = program;
	say_run(o);
	pid = fork();
	if (pid == 0) {
		int code;

		alarm(RUN_SECONDS);
		code = inside_main(o);

		fflush(stdout);
		_exit(code);
	}
	return (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static bool
has_width(const struct run *r)
{
	return (r->width == ANY || r->width == sizeof(void *));
}

static int
list_all(void)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (has_width(&runs[i]))
			say_options(&runs[i].o);
	return (0);
}

static int
run_all(const char *program)
{
	unsigned passed = 0, failed = 0;
	double start = now();

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		if (!has_width(&runs[i]))
			continue;
		if (run_one(program, &runs[i]))
			passed++;
		else
			failed++;
	}
	printf("%s: %u runs well, %u not, %.1f s\n", FLAVOR, passed, failed, now() - start);
	return (failed == 0 ? 0 : 1);
}

int
main(int argc, char **argv)
{
	struct machine_options o = defaults;
	int code;

	o.program = argv[0];
	if (argc == 1)
		return (run_all(argv[0]));
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return (list_all());
	for (int i = 1; i < argc; i++)
		if (!option(argc, argv, &i, &o))
			bad_usage(argv[0]);
	if (o.cpus < 1 || o.cpus > 8 || o.every == 0)
		bad_usage(argv[0]);
	setvbuf(stdout, NULL, _IOLBF, 0); /* whatever ends this program */
	say_run(&o);
	if (shrinks)
		return (shrink(&o));
	code = inside_main(&o);
	fflush(stdout);
	_exit(code);
}
