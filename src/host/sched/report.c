/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: a schedule in words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "options.h"
#include "search.h"

/** One line of addr2line without its end. */
static bool
line_of(FILE *f, char *s, int n)
{
	if (fgets(s, n, f) == NULL)
		return (false);
	s[strcspn(s, "\n ")] = '\0';
	return (true);
}

/** The pretend machine's own part of the way is of no interest. */
static bool
is_machinery(const char *file)
{
	static const char *const ours[] = { "search.c", "hooks.c", "together.c", "lock.c", "mmu.c", "task.c", "order.c", "memory.c",
		"mutex.h", "atomic.h", "kmem.c", "boot.c", "cpu.c" };
	const char *name = strrchr(file, '/');

	name = name == NULL ? file : name + 1;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncmp(name, ours[i], strlen(ours[i])) == 0)
			return (true);
	return (false);
}

/** Where it was: the innermost three functions that are not ours. */
static void
print_place(const struct switched *s)
{
	char command[1024], function[200], file[200];
	size_t n = (size_t)snprintf(command, sizeof(command), "addr2line -f -s -i -e %s", options.program);
	unsigned shown = 0;
	FILE *f;

	for (unsigned i = 0; i < s->nframes; i++)
		n += (size_t)snprintf(command + n, sizeof(command) - n, " 0x%lx", (unsigned long)s->pc[i] - 1);
	f = s->nframes > 0 ? popen(command, "r") : NULL;
	while (f != NULL && shown < 4 && line_of(f, function, sizeof(function)) && line_of(f, file, sizeof(file))) {
		if (is_machinery(file))
			continue;
		printf("%s%s (%s)", shown == 0 ? " in " : " < ", function, file);
		shown++;
	}
	if (f != NULL)
		pclose(f);
	if (shown == 0 && s->nframes > 0)
		printf(" at 0x%lx", (unsigned long)s->pc[0]);
}

void
report_switches(const struct switched *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (s[i].from < 0) {
			printf("  CPU %d begins\n", s[i].to);
			continue;
		}
		printf("  CPU %d, access %u", s[i].from, s[i].count);
		if (s[i].why == NULL)
			printf(", is about to use %s", memory_name(s[i].at));
		else
			printf(", %s%s", strncmp(s[i].why, "is ", 3) == 0 || strncmp(s[i].why, "ends", 4) == 0 ? "" : "waits for ",
			    s[i].why);
		print_place(&s[i]);
		if (s[i].to >= 0)
			printf("\n  CPU %d goes on%s", s[i].to, s[i].why == NULL ? " (preemption)" : "");
		printf("\n");
	}
}
