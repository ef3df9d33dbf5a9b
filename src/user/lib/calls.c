/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief System calls.
 */
#include <user.h>
#include <sys/syscall.h>

void
exit(int status)
{
	for (;;)
		(void)syscall(SYS_EXIT, status, 0, 0);
}

int
fork(void)
{
	return ((int)syscall(SYS_FORK, 0, 0, 0));
}

long
write(const void *text, size_t len)
{
	return (syscall(SYS_WRITE, (long)text, (long)len, 0));
}

int
wait(int *status)
{
	return ((int)syscall(SYS_WAIT, (long)status, 0, 0));
}

int
exec(const char *name, const char *arg)
{
	return ((int)syscall(SYS_EXEC, (long)name, (long)arg, 0));
}

int
getpid(void)
{
	return ((int)syscall(SYS_GETPID, 0, 0, 0));
}

void
yield(void)
{
	(void)syscall(SYS_YIELD, 0, 0, 0);
}

void *
mmap(void *va, size_t len, int prot)
{
	return ((void *)syscall(SYS_MMAP, (long)va, (long)len, prot));
}

int
munmap(void *va, size_t len)
{
	return ((int)syscall(SYS_MUNMAP, (long)va, (long)len, 0));
}

int
mprotect(void *va, size_t len, int prot)
{
	return ((int)syscall(SYS_MPROTECT, (long)va, (long)len, prot));
}

#define STACK 8192

/** What _thread in crt0.S finds where its stack pointer points. */
struct top {
	uintptr_t arg;
	void (*fn)(uintptr_t);
};

extern char _thread[];

int
thread(void (*fn)(uintptr_t), uintptr_t arg)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE);
	struct top *top;

	if (stack == MAP_FAILED)
		return (-1);
	top = (struct top *)(stack + STACK - 64);
	*top = (struct top){ arg, fn };
	return ((int)syscall(SYS_THREAD, (long)_thread, (long)top, 0));
}
