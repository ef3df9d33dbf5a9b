/* SPDX-License-Identifier: ISC */
/** @file @brief Self tests (under construction). */
#include <sys/startup.h>
void
kern_selftest(void)
{
}
