/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Reading and writing memory that may not be there.
 */
#ifndef SYS_PEEK_H
#define SYS_PEEK_H

#include <sys/types.h>

/**
 * Copy n bytes from an address that may fault.
 *
 * @param src  anything
 * @param dst  ordinary memory
 * @param n    bytes
 * @return     false: a byte could not be read (a page fault that nobody resolved, or an address that cannot exist);
 *             what was read before it is in dst
 * @locks      None, callable anywhere. A page fault is first offered to vm_fault(), like any other.
 */
bool peek(const void *src, void *dst, size_t n);

/** The same for writing: copy n bytes of ordinary memory to an address that may fault. */
bool poke(void *dst, const void *src, size_t n);

#endif
