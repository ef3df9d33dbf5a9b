/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All that a program has: system calls, a little printing, a little string handling.
 */
#ifndef USER_USER_H
#define USER_USER_H

#include <sys/types.h>
#include "arch.h"

#define PROT_NONE  0
#define PROT_READ  1
#define PROT_WRITE 2
#define PROT_EXEC  4

/**
 * @name System calls, see sys/syscall.h. -1: refused.
 * @{
 */
void exit(int status) NORETURN;
int fork(void);
long write(const void *text, size_t len);
int wait(int *status);
int exec(const char *name, const char *arg);
int getpid(void);
void yield(void);
void *mmap(void *va, size_t len, int prot);
int munmap(void *va, size_t len);
int mprotect(void *va, size_t len, int prot);
/** Run fn(arg) in a thread of its own, on one page of stack; it ends by returning. exit() of any thread ends all. */
int thread(void (*fn)(uintptr_t), uintptr_t arg);
/** @} */
#define MAP_FAILED ((void *)-1)

/** Print one line or less, in one write(): %s %c %d %u %x %lu %lx. */
void print(const char *fmt, ...) PRINTFLIKE(1, 2);
/** The last words of a program that found what it expected: `NAME: ok VALUE`, exit(0). */
void done(const char *name, uint32_t value) NORETURN;
/** Or did not: `NAME: wrong ...`, exit(1). */
#define must(name, cond) ((cond) ? (void)0 : wrong(name, #cond, __LINE__))
void wrong(const char *name, const char *what, int line) NORETURN;

/** Next number of a generator that is easy to repeat elsewhere: x * 1664525 + 1013904223, 32 bits. */
uint32_t next(uint32_t *state);

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/** Every program defines this; `arg` is the one argument, "" if there is none. What it returns is its exit status. */
int main(const char *arg);

#endif
