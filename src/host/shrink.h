/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: a history that fails, made as short as it can be.
 */
#ifndef HOST_SHRINK_H
#define HOST_SHRINK_H

#include <stdbool.h>
#include "machine.h"

/** Find the shortest history with these options that fails, and print it. @return 0: it does not fail; 1: it does */
int shrink(const struct machine_options *o);

#endif
