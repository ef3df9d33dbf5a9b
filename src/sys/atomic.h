/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Atomic operations, and no other file has any: entries of page tables and locks too are accessed by these. All but the loads and
 * stores are full barriers (spec 8.3); atomic_cas_* return the value found.
 */
#ifndef SYS_ATOMIC_H
#define SYS_ATOMIC_H

#include <sys/types.h>

/**
 * @name Loads and stores that the compiler makes as they stand
 * One instruction each, in the order of the source among each other, and x86 moves at most a load before a store of another place
 * [SDM3 8.2.2]. They order nothing else: no barriers. 8 bytes go whole only where a pointer has 8: else one half, then the other.
 * @{ */
static inline uint8_t
atomic_load_8(const volatile void *p)
{
	return (*(const volatile uint8_t *)p);
}
static inline uint32_t
atomic_load_32(const volatile void *p)
{
	return (*(const volatile uint32_t *)p);
}
static inline uint64_t
atomic_load_64(const volatile void *p)
{
	return (*(const volatile uint64_t *)p);
}
static inline void
atomic_store_32(volatile void *p, uint32_t v)
{
	*(volatile uint32_t *)p = v;
}
static inline void
atomic_store_64(volatile void *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}
/** @} */

/** Store `new` if *p is `old`. @return what was found: `old` means it was stored */
static inline uint32_t
atomic_cas_32(volatile uint32_t *p, uint32_t old, uint32_t new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return (old);
}

/** The same for 8 bytes, never torn. One cmpxchg8b on i386: the CPU must have it, mmu_init() checks. */
static inline uint64_t
atomic_cas_64(volatile uint64_t *p, uint64_t old, uint64_t new)
{
	return (__sync_val_compare_and_swap(p, old, new));
}

/** The same for a number as wide as a pointer. */
static inline ulong_t
atomic_cas_long(volatile ulong_t *p, ulong_t old, ulong_t new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return (old);
}

/** The same for a pointer. */
static inline void *
atomic_cas_ptr(void *volatile *p, void *old, void *new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return (old);
}

/** @name Arithmetic and bits, result not wanted
 * @{ */
static inline void
atomic_inc_32(volatile uint32_t *p)
{
	(void)__atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
}
static inline void
atomic_dec_32(volatile uint32_t *p)
{
	(void)__atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST);
}
static inline void
atomic_inc_int(volatile int32_t *p)
{
	(void)__atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
}
static inline void
atomic_dec_int(volatile int32_t *p)
{
	(void)__atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST);
}
static inline void
atomic_add_long(volatile ulong_t *p, long n)
{
	(void)__atomic_add_fetch(p, n, __ATOMIC_SEQ_CST);
}
static inline void
atomic_or_long(volatile ulong_t *p, ulong_t bits)
{
	(void)__atomic_or_fetch(p, bits, __ATOMIC_SEQ_CST);
}
static inline void
atomic_and_long(volatile ulong_t *p, ulong_t bits)
{
	(void)__atomic_and_fetch(p, bits, __ATOMIC_SEQ_CST);
}
static inline void
atomic_or_32(volatile uint32_t *p, uint32_t bits)
{
	(void)__atomic_or_fetch(p, bits, __ATOMIC_SEQ_CST);
}
static inline void
atomic_or_8(volatile uint8_t *p, uint8_t bits)
{
	(void)__atomic_or_fetch(p, bits, __ATOMIC_SEQ_CST);
}
static inline void
atomic_and_8(volatile uint8_t *p, uint8_t bits)
{
	(void)__atomic_and_fetch(p, bits, __ATOMIC_SEQ_CST);
}
static inline void
atomic_and_32(volatile uint32_t *p, uint32_t bits)
{
	(void)__atomic_and_fetch(p, bits, __ATOMIC_SEQ_CST);
}
/** @} */
/** @name Arithmetic with the result
 * @{ */
static inline int32_t
atomic_add_int(volatile int32_t *p, int32_t n)
{
	return (__atomic_add_fetch(p, n, __ATOMIC_SEQ_CST));
}
static inline uint32_t
atomic_add_32(volatile uint32_t *p, uint32_t n)
{
	return (__atomic_add_fetch(p, n, __ATOMIC_SEQ_CST));
}
/** @} */
/** @name Store a value and return the one before
 * @{ */
static inline void *
atomic_swap_ptr(void *volatile *p, void *v)
{
	return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));
}
static inline int32_t
atomic_swap_int(volatile int32_t *p, int32_t v)
{
	return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));
}
static inline uint8_t
atomic_swap_8(volatile uint8_t *p, uint8_t v)
{
	return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));
}
static inline ulong_t
atomic_swap_long(volatile ulong_t *p, ulong_t v)
{
	return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));
}
static inline uint32_t
atomic_swap_32(volatile uint32_t *p, uint32_t v)
{
	return (__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST));
}
/** @} */
/** What it is at this moment, read without the lock that guards it: a hint, or an assertion that holds whatever others add. */
static inline int32_t
atomic_peek_int(const int32_t *p)
{
	return (*(const volatile int32_t *)p);
}
/** No load or store moves across it, in either direction. */
static inline void
membar(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
