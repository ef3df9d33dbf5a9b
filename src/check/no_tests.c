/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What an image without tests/ answers when it is asked for a test.
 *
 * Weak definitions: an image made with TESTS=1 has the real ones.
 */
#include <check/costs.h>
#include <check/coverage.h>
#include <check/damage.h>
#include <check/stress.h>
#include <kern/crash.h>
#include <sys/startup.h>

#define WEAK __attribute__((weak))

WEAK void
kern_selftest(void)
{
}

WEAK void
crash_wanted(void)
{
}

WEAK bool
costs_wanted(void)
{
	return (false);
}

WEAK void
costs_main(void)
{
}

WEAK bool
stress_wanted(void)
{
	return (false);
}

WEAK void
stress_main(void)
{
}

WEAK bool
damage_wanted(void)
{
	return (false);
}

WEAK void
damage_main(void)
{
}

WEAK void
damage_after_dump(const char *checkpoint)
{
	(void)checkpoint;
}

WEAK void
damage_after_look(void)
{
}

WEAK void
coverage_tell(void)
{
}
