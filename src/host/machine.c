/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: memory of the pretend machine, its windows, and what happens when something goes wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <width.h>
#include "machine.h"

#define PAGE 4096ul

/* Present when the program was linked with AddressSanitizer or UBSan. */
extern void *__asan_region_is_poisoned(void *p, size_t n) __attribute__((weak));
extern void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));
extern void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size) __attribute__((weak));
extern void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size) __attribute__((weak));

void (*machine_stopped)(const char *text);

static int memory_file = -1;
static unsigned char *memory;
static unsigned long long memory_size;
static uintptr_t windows_start, windows_end;

static volatile bool copying;
static sigjmp_buf copy_failed;
static struct sigaction others_handler;

/** Where machine_stop() goes. */
struct attempt {
	jmp_buf jump;
	char *text;
	size_t size;
	struct attempt *outer;
};
static struct attempt *attempt;

static void
die(const char *what)
{
	fprintf(stderr, "host: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ------------------------------------------------------------------ faults */

/*
 * A window's page that has no mapping is like an empty TLB: inside looks at the entry. Everything else is a mistake, and
 * belongs to whoever was there before us (AddressSanitizer prints where it happened).
 */
static void
on_fault(int number, siginfo_t *info, void *context)
{
	uintptr_t va = (uintptr_t)info->si_addr;

	(void)context;
	if (va >= windows_start && va < windows_end && inside_window_fault(va))
		return;
	if (copying)
		siglongjmp(copy_failed, 1);
	if (machine_stopped != NULL)
		machine_stopped("a wild pointer: segmentation fault");
	sigaction(number, &others_handler, NULL);
}

static void
last_words(void)
{
	static bool said;

	if (!said) {
		said = true;
		inside_last_words();
	}
	fflush(stdout);
}

/** A run that does not end. */
static void
on_alarm(int number)
{
	(void)number;
	printf("panic: out of time\n");
	last_words();
	_exit(1);
}

#define PC(context) ((unsigned long)((ucontext_t *)(context))->uc_mcontext.gregs[CONTEXT_PC])
#define TRAP_FLAG   0x100

static void (*on_stuck)(unsigned long pc);

static void
on_patience(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	on_stuck(PC(context));
}

void
machine_patience(unsigned ms, void (*stuck)(unsigned long pc))
{
	struct itimerval t = { .it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };
	struct sigaction sa;

	on_stuck = stuck;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_patience;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGVTALRM, &sa, NULL);
	setitimer(ITIMER_VIRTUAL, &t, NULL);
}

static int (*step_next)(unsigned long pc);

static void
on_step(int number, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)number, (void)info;
	if (!step_next(PC(context)))
		*flags &= ~(greg_t)TRAP_FLAG;
}

static inline void
trap_flag(bool on)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags) : : "memory");
	flags = on ? flags | TRAP_FLAG : flags & ~(unsigned long)TRAP_FLAG;
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

void
machine_step(void (*func)(void), int (*next)(unsigned long pc))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_step;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGTRAP, &sa, NULL);
	step_next = next;
	trap_flag(true);
	func();
	trap_flag(false);
}

static void
catch_faults(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGSEGV, &sa, &others_handler);
	sigaction(SIGBUS, &sa, NULL);
	signal(SIGALRM, on_alarm);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(last_words);
}

/* ------------------------------------------------------------------ memory */

static void *
map_file(uintptr_t va, size_t bytes, off_t offset, int prot, int flags)
{
	void *p = mmap((void *)va, bytes, prot, MAP_SHARED | flags, memory_file, offset);

	if (p == MAP_FAILED)
		die("mapping the pretend memory");
	return (p);
}

void
machine_init(unsigned long long bytes)
{
	memory_file = memfd_create("pretend-memory", MFD_CLOEXEC);
	if (memory_file < 0 || ftruncate(memory_file, (off_t)bytes) != 0)
		die("making the pretend memory");
	memory_size = bytes;
	memory = map_file(0, (size_t)bytes, 0, PROT_READ | PROT_WRITE, 0);
	catch_faults();
}

void *
machine_phys(unsigned long long pa)
{
	return (pa < memory_size ? memory + pa : NULL);
}

void
machine_map_all(unsigned long va)
{
	map_file(va, (size_t)memory_size, 0, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
}

void
machine_windows(unsigned long va, unsigned long bytes)
{
	void *p = mmap((void *)va, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)va)
		die("keeping addresses for windows");
	windows_start = va;
	windows_end = va + bytes;
}

void
machine_window_set(unsigned long va, unsigned long long pa, int access)
{
	if (va < windows_start || va >= windows_end) {
		fprintf(stderr, "host: 0x%lx is not in a window\n", va);
		abort();
	}
	if (access == 0 || pa >= memory_size) {
		if (mmap((void *)va, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
			die("emptying a window");
		return;
	}
	map_file(va, PAGE, (off_t)pa, access == 2 ? PROT_READ | PROT_WRITE : PROT_READ, MAP_FIXED | MAP_POPULATE);
}

/* ------------------------------------------------------------------ several stacks */

static const void *first_bottom;
static size_t first_size;

void
machine_stack_before(void **save, const void *bottom, unsigned long size)
{
	if (__sanitizer_start_switch_fiber != NULL)
		__sanitizer_start_switch_fiber(save, bottom != NULL ? bottom : first_bottom, bottom != NULL ? size : first_size);
}

void
machine_stack_after(void *save)
{
	const void *bottom;
	size_t size;

	if (__sanitizer_finish_switch_fiber == NULL)
		return;
	__sanitizer_finish_switch_fiber(save, &bottom, &size);
	if (first_bottom == NULL) { /* the first switch of all leaves the first stack */
		first_bottom = bottom;
		first_size = size;
	}
}

__attribute__((no_sanitize_address)) static void
copy_bytes(unsigned char *dst, const unsigned char *src, size_t n)
{
	for (volatile size_t i = 0; i < n; i++)
		dst[i] = src[i];
}

int
machine_copy(void *dst, const void *src, unsigned long n)
{
	if (__asan_region_is_poisoned != NULL &&
	    (__asan_region_is_poisoned((void *)(uintptr_t)src, n) != NULL || __asan_region_is_poisoned(dst, n) != NULL))
		return (0);
	if (sigsetjmp(copy_failed, 0) != 0) { /* no signal is blocked in the handler: SA_NODEFER */
		copying = false;
		return (0);
	}
	copying = true;
	copy_bytes(dst, src, n);
	copying = false;
	return (1);
}

/* ------------------------------------------------------------------ the end */

void
machine_exit(int code)
{
	fflush(stdout);
	_exit(code);
}

void
machine_stop(const char *text)
{
	struct attempt *a = attempt;

	if (machine_stopped != NULL)
		machine_stopped(text);
	if (a != NULL) {
		snprintf(a->text, a->size, "%s", text);
		attempt = a->outer;
		longjmp(a->jump, 1);
	}
	fflush(stdout);
	printf("panic: %s\n", text);
	last_words();
	_exit(1);
}

int
machine_try(void (*fn)(void *), void *arg, char *text, unsigned long size)
{
	struct attempt a = { .text = text, .size = size, .outer = attempt };

	if (setjmp(a.jump) != 0)
		return (1);
	attempt = &a;
	fn(arg);
	attempt = a.outer;
	return (0);
}
