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

int
inside_main(const struct machine_options *o)
{
	host_options = o;
	kmem_fail_after = o->kmem_fail;
	mutants_choose(o->mutant);
	host_machine();
	if (strcmp(o->test, "boot") == 0)
		test_boot();
	else if (strcmp(o->test, "pure") == 0)
		test_pure();
	else if (strcmp(o->test, "branches") == 0)
		test_branches();
	else if (strcmp(o->test, "misuse") == 0)
		test_misuse();
	else if (strcmp(o->test, "history") == 0)
		test_history();
	else if (strcmp(o->test, "share") == 0)
		test_share();
	else if (strcmp(o->test, "replays") == 0)
		test_replays();
	else if (strcmp(o->test, "panic") == 0)
		test_panic();
	else if (strcmp(o->test, "checks") == 0 && test_checks != NULL)
		test_checks();
	else
		panic("there is no test \"%s\"", o->test);
	return (0);
}
