/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Formatted output: %c %s %d %i %u %x %X %o %p %% with flags 0 - + # space, width, precision, h hh l ll z j; 64-bit safe on i386.
 */
#ifndef SYS_PRINTF_H
#define SYS_PRINTF_H

#include <sys/types.h>

typedef __builtin_va_list va_list;
#define va_start __builtin_va_start
#define va_end   __builtin_va_end
#define va_arg   __builtin_va_arg
#define va_copy  __builtin_va_copy

/** Print to every console. One call is one unit: other CPUs' output does not mix into it. */
int printf(const char *fmt, ...) PRINTFLIKE(1, 2);
/** The same with a va_list, which is left as it was. */
int vprintf(const char *fmt, va_list ap);
/** Print to port E9 only: records and dumps for the host (docs/protocol.md). */
int record(const char *fmt, ...) PRINTFLIKE(1, 2);
/** Like C's; always terminates when size > 0, returns the length that the whole text has. */
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTFLIKE(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

#endif
