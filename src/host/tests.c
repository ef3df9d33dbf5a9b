/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The tests by name.
 */
#include <host/host.h>
#include <host/mutants.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/string.h>

static const struct {
	const char *name;
	void (*func)(void); /* NULL: not in this program */
} tests[] = {
	{ "boot", test_boot },
	{ "pure", test_pure },
	{ "branches", test_branches },
	{ "build", test_build },
	{ "misuse", test_misuse },
	{ "steal", test_steal },
	{ "history", test_history },
	{ "share", test_share },
	{ "replays", test_replays },
	{ "drill", test_drill },
	{ "oracle", test_oracle },
	{ "panic", test_panic },
	{ "checks", test_checks },
};

int
inside_main(const struct machine_options *o)
{
	host_options = o;
	kmem_fail_after = o->kmem_fail;
	mutants_choose(o->mutant);
	host_machine();
	for (uint_t i = 0; i < NELEM(tests); i++)
		if (strcmp(o->test, tests[i].name) == 0 && tests[i].func != NULL) {
			tests[i].func();
			return (0);
		}
	panic("there is no test \"%s\"", o->test);
}
