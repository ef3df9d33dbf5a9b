/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Crashes to order: `crash=NAME` on the command line. Each must stop the kernel with a message that says what was wrong.
 */
#include <kern/crash.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <vm/hat.h>
#include <x86/cpufunc.h>

static char crash[16];
TUNABLE_STRING(crash, "crash", "stop in a chosen way, to test the message: panic, assert, null, stack, ...");

static volatile uintptr_t zero; /* what the compiler does not know */

static void
crash_panic(void)
{
	panic("crash=%s was asked for", crash);
}

static void
crash_assert(void)
{
	ASSERT(zero == 1);
}

static void
crash_todo(void)
{
	lab_todo(3, "htable_example", "2.1");
}

static void
crash_null(void)
{
	*(volatile int *)(zero + 16) = 1;
}

static void
crash_jump(void)
{
	((void (*)(void))(zero + 0x12345678))();
}

static void
crash_divide(void)
{
	zero = 100 / zero;
}

static int
recurse(int depth)
{
	volatile char room[200];

	if (zero != 0)
		return (0); /* never: the compiler wants to see a way out */
	room[0] = (char)depth;
	return (recurse(depth + 1) + room[0]);
}

static void
overflow(void *arg)
{
	(void)arg;
	(void)recurse(0);
}

/* The boot stack has no gap below it; a thread's has. */
static void
crash_stack(void)
{
	thread_join(thread_create("overflow", overflow, NULL));
}

/* A frame that does not exist, through the linear map of those that do. */
static void
crash_kpm(void)
{
	*(volatile int *)(hat_kpm_pfn2va(0xffff0)) = 1;
}

static void
crash_free_twice(void)
{
	void *p = kmem_alloc(100, KM_SLEEP);

	kmem_free(p, 100);
	kmem_free(p, 100);
}

static void
crash_use_after_free(void)
{
	volatile char *p = kmem_alloc(100, KM_SLEEP);

	kmem_free((void *)(uintptr_t)p, 100);
	p[50] = 1;
	(void)kmem_alloc(100, KM_SLEEP);
}

static void
crash_overrun(void)
{
	volatile char *p = kmem_alloc(128, KM_SLEEP);

	p[140] = 1, p[128] = p[129] = p[130] = p[131] = 1;
	kmem_free((void *)(uintptr_t)p, 128);
}

static void
crash_bad_free(void)
{
	kmem_free((void *)(uintptr_t)crash, 64);
}

static void
crash_mutex(void)
{
	static kmutex_t m;

	mutex_enter(&m);
	mutex_enter(&m);
}

static void
hang(void *arg)
{
	kpreempt_disable();
	if (arg != NULL)
		cli();
	for (;;)
		pause();
}

/* For the watchdog: everything runs on, but nothing gets anywhere; one CPU of several does not even take interrupts. */
static void
crash_hang(void)
{
	for (int i = 1; i < ncpus; i++)
		(void)thread_create("hang", hang, (void *)(uintptr_t)(i == 1));
	thread_delay(2);
	hang(NULL);
}

/* An NMI that nobody sent to stop us. */
static void
crash_nmi(void)
{
	__asm__ volatile("int $2");
}

static void
panicking(void *arg)
{
	(void)arg;
	panic("several CPUs at once");
}

static void
crash_together(void)
{
	for (int i = 1; i < ncpus; i++)
		(void)thread_create("together", panicking, NULL);
	panicking(NULL);
}

static const struct {
	const char *name;
	void (*func)(void);
} crashes[] = {
	{ "panic", crash_panic },
	{ "assert", crash_assert },
	{ "todo", crash_todo },
	{ "null", crash_null },
	{ "jump", crash_jump },
	{ "divide", crash_divide },
	{ "stack", crash_stack },
	{ "free-twice", crash_free_twice },
	{ "use-after-free", crash_use_after_free },
	{ "overrun", crash_overrun },
	{ "bad-free", crash_bad_free },
	{ "mutex", crash_mutex },
	{ "hang", crash_hang },
	{ "kpm", crash_kpm },
	{ "nmi", crash_nmi },
	{ "together", crash_together },
};

void
crash_wanted(void)
{
	if (crash[0] == '\0')
		return;
	for (uint_t i = 0; i < NELEM(crashes); i++) {
		if (strcmp(crash, crashes[i].name) == 0)
			crashes[i].func();
	}
	panic("crash=%s: there is no such crash, or it did not happen", crash);
}
