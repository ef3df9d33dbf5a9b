/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Words of the GRUB command line, name=value, as /etc/system is on Solaris.
 */
#ifndef SYS_TUNABLE_H
#define SYS_TUNABLE_H

#include <sys/types.h>

/** One tunable. Declared beside the variable it sets, collected by the linker into one table. */
typedef struct tunable {
	const char *tn_name;
	const char *tn_help;
	uint64_t *tn_number; /**< one of the two is set */
	char *tn_string;
	size_t tn_size; /**< of tn_string's buffer */
} tunable_t;

#define TUNABLE_NUMBER(var, name, help) \
	static const tunable_t tunable_##var \
	    __attribute__((used, section("tunables"), aligned(sizeof(void *)))) = { name, help, &var, NULL, 0 }
#define TUNABLE_STRING(var, name, help) \
	static const tunable_t tunable_##var \
	    __attribute__((used, section("tunables"), aligned(sizeof(void *)))) = { name, help, NULL, var, sizeof(var) }

extern const tunable_t __start_tunables[], __stop_tunables[]; /**< all of them; made by the linker */

/** The whole word as a number, decimal or 0x hexadecimal, of 64 bits at most. False: it is none, *np is unchanged. */
bool number_parse(const char *s, uint64_t *np);

/** Set all variables from a command line. Returns false after naming the first unknown or unreadable word on the console. */
bool tunables_parse(const char *cmdline);

#endif
