/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All that address spaces want of the HAT, in one place.
 */
#ifndef VM_AS_HAT_H
#define VM_AS_HAT_H

#include <sys/types.h>

struct as;
struct page;

/**
 * @name Translations. The space's a_lock is held (or nobody else knows it yet).
 * @{
 */
/** Show a page; if it is shown there already, with these permissions from now on. */
void as_hat_load(struct as *as, uintptr_t va, struct page *pp, uint_t prot);
/** Forget what is shown in a range; when this returns no CPU can reach those pages through it. */
void as_hat_unload(struct as *as, uintptr_t va, size_t len);
/** A page that more than one space has from now on: take write permission away, if it is shown. */
void as_hat_make_readonly(struct as *as, uintptr_t va, struct page *pp, uint_t prot);
/** New protection for a range. A shared page must not become writable by it: what can be more is left to the next fault. */
void as_hat_protect(struct as *as, uintptr_t va, size_t len, uint_t prot);
/** @} */

/** Does the hole of addresses that do not exist touch [va, va + len)? len > 0, the range does not wrap. */
bool as_hat_in_hole(uintptr_t va, size_t len);

/**
 * @name Contents of frames that need not be mapped. Callable with mutexes held; never sleep.
 * @{
 */
void frame_read(pfn_t pfn, uint_t off, void *buf, size_t n);
void frame_write(pfn_t pfn, uint_t off, const void *buf, size_t n);
void frame_zero(pfn_t pfn, uint_t off, size_t n);
void frame_copy(pfn_t from, pfn_t to);
/** @} */

#endif
