/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: what the compiler calls before each access to memory (-fsanitize=thread), in place of ThreadSanitizer's own library.
 *
 * The HAT's objects call __tsan_*: those accesses are seen. Objects of the pretend machine call quiet_* instead (sched.mk): what they
 * change is put back after a run, and nothing else; where they matter they say so (host_before()).
 */
#include <string.h>
#include "search.h"

/** At 32 bits gcc calls 8 volatile bytes a range, as if they were not volatile: of an entry they always are. */
static bool
is_wide_entry(uintptr_t a, size_t n)
{
	return (sizeof(void *) == 4 && n == 8 && memory_is_frame(a));
}

/** An access of the HAT; `atomic`: or volatile, which the kernel takes to be as good. */
static void
seen_as(const volatile void *p, size_t n, bool write, bool atomic)
{
	const char *wrong;
	uintptr_t a;

	if (running == NULL && !write)
		return;
	a = memory_place((uintptr_t)p);
	if (task_owns(a))
		return;
	if (running != NULL) {
		running->count++;
		search_point(a, order_matters(a, n));
		wrong = memory_wrong(a, n); /* as whoever came first has left it */
		if (wrong != NULL)
			search_fail(wrong);
		wrong = race_access(a, n, write, atomic || is_wide_entry(a, n));
		if (wrong != NULL)
			search_fail(wrong);
		order_access(a, n, write);
	}
	if (write)
		memory_save(a, n);
}

static void
seen(const volatile void *p, size_t n, bool write)
{
	seen_as(p, n, write, false);
}

static void
seen_atomic(const volatile void *p, size_t n, bool write)
{
	seen_as(p, n, write, true);
}

/** An access of the pretend machine. */
static void
quiet(const volatile void *p, size_t n, bool write)
{
	uintptr_t a;

	if (!write)
		return;
	a = memory_place((uintptr_t)p);
	if (!task_owns(a))
		memory_save(a, n);
}

#define ACCESS(n) \
	void __tsan_read##n(void *p) { seen(p, n, false); } \
	void __tsan_write##n(void *p) { seen(p, n, true); } \
	void __tsan_unaligned_read##n(void *p) { seen(p, n, false); } \
	void __tsan_unaligned_write##n(void *p) { seen(p, n, true); } \
	void __tsan_volatile_read##n(void *p) { seen_atomic(p, n, false); } \
	void __tsan_volatile_write##n(void *p) { seen_atomic(p, n, true); } \
	void quiet_read##n(void *p) { quiet(p, n, false); } \
	void quiet_write##n(void *p) { quiet(p, n, true); } \
	void quiet_unaligned_read##n(void *p) { quiet(p, n, false); } \
	void quiet_unaligned_write##n(void *p) { quiet(p, n, true); } \
	void quiet_volatile_read##n(void *p) { quiet(p, n, false); } \
	void quiet_volatile_write##n(void *p) { quiet(p, n, true); }

/* Prototypes are the compiler's own; there is no header of them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void
__tsan_read_range(void *p, size_t n)
{
	seen(p, n, false);
}

void
__tsan_write_range(void *p, size_t n)
{
	seen(p, n, true);
}

void
quiet_read_range(void *p, size_t n)
{
	quiet(p, n, false);
}

void
quiet_write_range(void *p, size_t n)
{
	quiet(p, n, true);
}

/* One CPU runs at a time: between the call of `tell` and the end nobody else does. */
#define FETCH(prefix, tell, bits, name, expr) \
	uint##bits##_t prefix##atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order) \
	{ \
		uint##bits##_t old; \
		(void)order; \
		tell(p, sizeof(*p), true); \
		old = *p; \
		*p = (uint##bits##_t)(expr); \
		return (old); \
	}
#define ATOMIC(prefix, tell, bits) \
	FETCH(prefix, tell, bits, exchange, v) \
	FETCH(prefix, tell, bits, fetch_add, old + v) \
	FETCH(prefix, tell, bits, fetch_sub, old - v) \
	FETCH(prefix, tell, bits, fetch_and, old &v) \
	FETCH(prefix, tell, bits, fetch_or, old | v) \
	FETCH(prefix, tell, bits, fetch_xor, old ^ v) \
	uint##bits##_t prefix##atomic##bits##_load(const volatile uint##bits##_t *p, int order) \
	{ \
		(void)order; \
		tell(p, sizeof(*p), false); \
		return (*p); \
	} \
	void prefix##atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order) \
	{ \
		(void)order; \
		tell(p, sizeof(*p), true); \
		*p = v; \
	} \
	uint##bits##_t prefix##atomic##bits##_compare_exchange_val( \
	    volatile uint##bits##_t *p, uint##bits##_t old, uint##bits##_t new, int order, int failed) \
	{ \
		uint##bits##_t found; \
		(void)order, (void)failed; \
		tell(p, sizeof(*p), true); \
		found = *p; \
		if (found == old) \
			*p = new; \
		return (found); \
	} \
	int prefix##atomic##bits##_compare_exchange_strong( \
	    volatile uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t new, int order, int failed) \
	{ \
		uint##bits##_t want = *old; \
		*old = prefix##atomic##bits##_compare_exchange_val(p, want, new, order, failed); \
		return (*old == want); \
	} \
	int prefix##atomic##bits##_compare_exchange_weak( \
	    volatile uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t new, int order, int failed) \
	{ \
		return (prefix##atomic##bits##_compare_exchange_strong(p, old, new, order, failed)); \
	}
#define ATOMICS(bits) ATOMIC(__tsan_, seen_atomic, bits) ATOMIC(quiet_, quiet, bits)
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void
__tsan_atomic_thread_fence(int order)
{
	(void)order;
}

void
quiet_atomic_thread_fence(int order)
{
	(void)order;
}

void
__tsan_init(void)
{
}

void
quiet_init(void)
{
}

/* ------------------------------------------------------------------ libc's, which the compiler does not look into (sched.mk) */

#define MEMORY(prefix, tell) \
	void *prefix##memset(void *p, int c, size_t n) \
	{ \
		if (n > 0) \
			tell(p, n, true); \
		return (memset(p, c, n)); \
	} \
	void *prefix##memcpy(void *to, const void *from, size_t n) \
	{ \
		if (n > 0) { \
			tell(from, n, false); \
			tell(to, n, true); \
		} \
		return (memcpy(to, from, n)); \
	} \
	void *prefix##memmove(void *to, const void *from, size_t n) \
	{ \
		if (n > 0) { \
			tell(from, n, false); \
			tell(to, n, true); \
		} \
		return (memmove(to, from, n)); \
	}
MEMORY(seen_, seen)
MEMORY(quiet_, quiet)
