/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The stress test, `stress=N` (docs/stress.md).
 */
#ifndef CHECK_STRESS_H
#define CHECK_STRESS_H

#include <sys/types.h>

/** Was it asked for? */
bool stress_wanted(void);
/** Run it; records `%stress-*` say how it went. What goes wrong is a panic. */
void stress_main(void);

#endif
