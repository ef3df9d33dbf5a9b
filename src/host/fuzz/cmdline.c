/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Command lines: accepted or refused, but never anything outside of a variable's own place.
 */
#include <host/fuzz/fuzz.h>
#include <host/host.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <sys/tunable.h>

static char text[16];
static uint64_t number, guard = ~0ull;
TUNABLE_STRING(text, "fuzz-text", "of the fuzzer");
TUNABLE_NUMBER(number, "fuzz-number", "of the fuzzer");

/** The last word of that name in the line decides, if the line is accepted. */
static void
try_one(const unsigned char *data, unsigned long size)
{
	char line[sizeof(bootinfo.bi_cmdline)];
	size_t n = MIN(size, sizeof(line) - 1);

	memcpy(line, data, n);
	line[n] = '\0';
	number = 0;
	text[0] = '\0';
	(void)tunables_parse(line);
	expect(guard == ~0ull && strlen(text) < sizeof(text), "written behind the end: \"%s\"", line);
	expect(number == 0 || strchr(line, '=') != NULL, "a number from nowhere: \"%s\"", line);
}

static void
once(void)
{
	static const struct machine_options options = { .cmdline = "" };

	host_options = &options;
}

const struct fuzz_target fuzz_cmdline = { "cmdline", once, try_one, NULL };
