/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The few string functions that the kernel (and the compiler) needs.
 */
#ifndef SYS_STRING_H
#define SYS_STRING_H

#include <sys/types.h>

/** @name As in C. No locks; they fault like any other access (peek() does not).
 * @{ */
void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
/** @} */
/** Copy at most size - 1 characters and terminate; size 0: nothing. */
void strlcpy(char *dst, const char *src, size_t size);

#endif
