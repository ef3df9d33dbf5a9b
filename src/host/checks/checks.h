/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the files of this folder share: the checks of a lab in the pretend machine (docs/quick.md).
 */
#ifndef HOST_CHECKS_CHECKS_H
#define HOST_CHECKS_CHECKS_H

#include <host/host.h>

/** host_switch: let another thread run. */
bool checks_switch(void);
/** A thread's turn begins: a check that has used up its time ends here, and this call does not return. */
void checks_tick(void);

#endif
