/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: the command line of the schedules program.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../machine.h"
#include "options.h"
#include "plant.h"
#include "sched.h"

struct sched_options options = { .flavor = FLAVOR, .bound = 2, .races = 1, .runs = 1 };

static struct machine_options machine = { .test = "schedules", .cmdline = "", .seed = 1, .every = 1 };

static const char usage[] = "usage: %s [options]       every scenario, in a process of its own\n"
			    "  --scenario NAME        this one only\n"
			    "  --bound N              at most so many preemptions (2)\n"
			    "  --every 1              leave out nothing, even what comes to a state that has been met\n"
			    "  --races 0              let data races be: see what comes of them\n"
			    "  --schedule N           print this one of them: who was switched from, where, and to whom\n"
			    "  --switches LIST        make these switches, as a report gives them\n"
			    "  --plant NAME           with this mistake in place of the right function (--list shows them)\n"
			    "  --runs N               with real threads: so many times each (1)\n"
			    "  --args \"WORDS\"         the kernel's command line\n"
			    "  --list                 the scenarios, and the mistakes\n";

static void
bad_usage(const char *program)
{
	fprintf(stderr, usage, program);
	exit(2);
}

static int
list(void)
{
	for (unsigned i = 0; scene_name(i) != NULL; i++)
		printf("scenario %s\n", scene_name(i));
	plant_list();
	return (0);
}

static unsigned long
number(const char *program, const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s == '\0' || *end != '\0')
		bad_usage(program);
	return (n);
}

static void
option(const char *program, const char *w, const char *v)
{
	if (v == NULL)
		bad_usage(program);
	if (strcmp(w, "--scenario") == 0)
		options.scenario = v;
	else if (strcmp(w, "--bound") == 0)
		options.bound = (unsigned)number(program, v);
	else if (strcmp(w, "--every") == 0)
		options.every = (int)number(program, v);
	else if (strcmp(w, "--races") == 0)
		options.races = (int)number(program, v);
	else if (strcmp(w, "--schedule") == 0)
		options.schedule = number(program, v);
	else if (strcmp(w, "--switches") == 0)
		options.replay = v;
	else if (strcmp(w, "--plant") == 0)
		options.plant = v;
	else if (strcmp(w, "--runs") == 0)
		options.runs = (unsigned)number(program, v);
	else if (strcmp(w, "--args") == 0)
		machine.cmdline = v;
	else
		bad_usage(program);
}

int
inside_main(const struct machine_options *o)
{
	(void)o;
	return (0);
}

/** One scenario, here: a machine is switched on once. */
static int
one(const char *name)
{
	int bad;

	machine.cpus = scene_cpus(name);
	if (machine.cpus == 0) {
		fprintf(stderr, "%s: there is no scenario \"%s\"; --list shows them\n", options.program, name);
		return (2);
	}
	if (options.plant != NULL && !plant(options.plant)) {
		fprintf(stderr, "%s: there is no mistake \"%s\"; --list shows them\n", options.program, options.plant);
		return (2);
	}
	bad = scene_run(name, &machine);
	fflush(stdout);
	return (bad);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/** In processes of its own, as often as wanted. @return it went wrong */
static bool
repeat(const char *name)
{
	int status = 0;

	for (unsigned k = 0; k < options.runs && status == 0; k++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(one(name));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return (true);
	}
	if (WIFSIGNALED(status))
		printf("%s %s: ended by signal %d\n", FLAVOR, name, WTERMSIG(status));
	return (status != 0);
}

static int
all(void)
{
	unsigned failed = 0, i;
	double start = now();

	for (i = 0; scene_name(i) != NULL; i++)
		failed += repeat(scene_name(i));
	printf("%s: %u scenarios well, %u not, %.1f s\n", FLAVOR, i - failed, failed, now() - start);
	return (failed > 0);
}

int
main(int argc, char **argv)
{
	options.program = argv[0];
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--list") == 0)
			return (list());
		option(argv[0], argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	}
	if (options.bound > 8)
		bad_usage(argv[0]);
	if (options.scenario == NULL)
		return (all());
	return (options.runs > 1 ? repeat(options.scenario) : one(options.scenario));
}
