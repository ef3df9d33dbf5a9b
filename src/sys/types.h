/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Basic types. The kernel uses no header but its own.
 */
#ifndef SYS_TYPES_H
#define SYS_TYPES_H

typedef __INT8_TYPE__ int8_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;
typedef long intptr_t; /* one type at both widths, so that one format (%lx) prints it */
typedef unsigned long uintptr_t;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef unsigned int uint_t;
typedef unsigned long ulong_t;

#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

#define UINT32_MAX  0xffffffffu
#define UINT64_MAX  0xffffffffffffffffull
#define UINTPTR_MAX (~(uintptr_t)0)

typedef uint64_t paddr_t;    /**< physical address, wider than a pointer under PAE */
typedef unsigned long pfn_t; /**< physical frame number: physical address / 4096 */
typedef int8_t level_t;      /**< level of a page table; signed, because loops run down to -1 */

#define PFN_INVALID ((pfn_t)-1)

#define PAGESHIFT  12
#define PAGESIZE   4096u
#define PAGEOFFSET (PAGESIZE - 1)
#define PAGEMASK   (~(uintptr_t)PAGEOFFSET)

#define pfn_to_pa(pfn) ((paddr_t)(pfn) << PAGESHIFT)
#define pa_to_pfn(pa)  ((pfn_t)((paddr_t)(pa) >> PAGESHIFT))

#define ROUNDUP(x, align)   (((x) + (align)-1) & ~((__typeof__(x))(align)-1))
#define ROUNDDOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define NELEM(a)            (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)           ((a) < (b) ? (a) : (b))
#define MAX(a, b)           ((a) > (b) ? (a) : (b))
#define offsetof(t, f)      __builtin_offsetof(t, f)

#define PACKED     __attribute__((packed))
#define ALIGNED(n) __attribute__((aligned(n)))
#define NOINLINE   __attribute__((noinline))
/** All that it calls, as far as it stands in the same file and is not NOINLINE, becomes a part of it. */
#define FLATTEN __attribute__((flatten))
/*
 * Rarely called, by functions that are called often: kept out of their way. Without assertions it also saves every register
 * itself, so that its callers need not save any for the sake of a call that they hardly ever make.
 */
#ifdef DEBUG
#	define COLD __attribute__((noinline, cold))
#else
#	define COLD __attribute__((noinline, cold, no_caller_saved_registers))
#endif
#define NORETURN         __attribute__((noreturn))
#define PRINTFLIKE(f, a) __attribute__((format(printf, f, a)))

#endif
