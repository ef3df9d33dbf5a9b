/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Measuring, `costs=1` (docs/costs.md).
 */
#ifndef CHECK_COSTS_H
#define CHECK_COSTS_H

#include <sys/types.h>

/** Was it asked for? */
bool costs_wanted(void);
/** Print a record `%cost name=... value=... unit=...` for each row. */
void costs_main(void);

#endif
