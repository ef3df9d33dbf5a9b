/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which mutant of which unit this run has.
 */
#include <host/mutants.h>
#include <sys/debug.h>
#include <sys/string.h>

extern const struct mutant_unit __start_mutants[] __attribute__((weak)), __stop_mutants[] __attribute__((weak));

static unsigned
number(const char *p)
{
	unsigned n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		n = 10 * n + (unsigned)(*p - '0');
	return (n);
}

void
mutants_choose(const char *which)
{
	if (which == NULL)
		return;
	for (const struct mutant_unit *u = __start_mutants; u < __stop_mutants; u++) {
		size_t n = strlen(u->mu_unit);

		if (strncmp(which, u->mu_unit, n) == 0 && which[n] == ':' && number(which + n + 1) <= u->mu_count) {
			*u->mu_chosen = number(which + n + 1);
			return;
		}
	}
	panic("there is no mutant %s in this program", which);
}
