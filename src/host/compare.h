/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the HAT says of an address space, against what the independent walker finds in memory.
 */
#ifndef HOST_COMPARE_H
#define HOST_COMPARE_H

#include <check/walk.h>
#include <vm/hat.h>

/** Physical address of a hat's top table; that of a VLP hat is first copied to a scratch frame. */
paddr_t hat_root(hat_t *hat);
/** Last address that is the hat's own. */
uintptr_t hat_last(const hat_t *hat);
/** htable_walk() over everything, against the walker: the same leaves in the same order. Panics when not. @return how many */
ulong_t hat_compare(hat_t *hat);

#endif
