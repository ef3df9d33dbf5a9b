/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: the same scenarios on real threads, for ThreadSanitizer, which sees what no lock and no atomic operation orders.
 *
 * Takes search.c's place. Each run is a process of its own. A cross-call is a letter that the other CPU's thread finds
 * when it next says what it is about to do: that is where it can be interrupted.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../machine.h"
#include "options.h"
#include "sched.h"

#define PATIENCE 10 /**< seconds after which a run is a deadlock */

/** <md_impl.h> */
struct machine_self {
	void *cpu, *thread;
};
struct machine_self *machine_self(void) __attribute__((const));

/** A cross-call, in the caller's frame. */
struct letter {
	void (*handler)(void *);
	void *arg;
	int done;
};

static __thread struct machine_self self;
static __thread int my_id = -1;
static __thread unsigned quick;                    /* chance: how long to dawdle */
static struct letter *box[SCHED_CPUS][SCHED_CPUS]; /* of whom, from whom */
static unsigned long moves[SCHED_CPUS];
static unsigned ncpus;
static int waiting; /* to begin, or for the others to end */
static void (*body)(int);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

extern void host_on(int id);
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
	return ("halt_on_error=1:exitcode=1:second_deadlock_stack=1:history_size=7");
}

/* What is read without the lock that guards it, on purpose, is read by it; the library takes that for a race with who has the lock. */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return ("race:atomic_peek_int\n");
}

void
machine_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
machine_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

struct machine_self *
machine_self(void)
{
	return (&self);
}

int
sched_me(void)
{
	return (my_id);
}

/** Read letters, if we may be interrupted. */
static void
poll(void)
{
	if (my_id < 0 || !scene_takes_interrupts(self.cpu))
		return;
	for (unsigned from = 0; from < ncpus; from++) {
		struct letter *l = __atomic_exchange_n(&box[my_id][from], NULL, __ATOMIC_ACQ_REL);

		if (l == NULL)
			continue;
		l->handler(l->arg);
		__atomic_store_n(&l->done, 1, __ATOMIC_RELEASE);
	}
}

/** Not always as fast as it can be. */
static void
dawdle(void)
{
	quick = quick * 1103515245u + 12345u;
	if ((quick >> 16) % 8 == 0)
		sched_yield();
}

void
sched_before(const volatile void *what)
{
	(void)what;
	if (my_id < 0)
		return;
	poll();
	dawdle();
	__atomic_fetch_add(&moves[my_id], 1, __ATOMIC_RELAXED);
}

void
sched_after(const volatile void *what)
{
	(void)what;
}

void
sched_reads(const volatile void *what)
{
	sched_before(what);
}

void
sched_wait(_Bool (*ready)(const void *), const void *what, const char *why)
{
	if (my_id < 0)
		machine_stop("somebody must wait while the world is made or judged");
	while (!ready(what)) {
		(void)why;
		poll();
		sched_yield();
	}
}

void
sched_interrupt(int id, const void *cpu, void (*handler)(void *), void *arg)
{
	struct letter l = { handler, arg, 0 };

	(void)cpu;
	if (my_id < 0 || id == my_id || (unsigned)id >= ncpus) {
		handler(arg);
		return;
	}
	__atomic_store_n(&box[id][my_id], &l, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&l.done, __ATOMIC_ACQUIRE)) {
		poll();
		sched_yield();
	}
}

unsigned long
sched_done_by_others(int me)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < ncpus; i++)
		if ((int)i != me)
			n += __atomic_load_n(&moves[i], __ATOMIC_RELAXED);
	return (n);
}

extern void AnnotateBenignRaceSized(const char *file, int line, const volatile void *p, size_t size, const char *why);

/** The library sees that by itself. */
void
sched_frees(const volatile void *what, unsigned long size)
{
	(void)what, (void)size;
}

void
sched_ignore(const volatile void *what, unsigned long size)
{
	(void)what, (void)size;
}

void
sched_hint(const volatile void *what, unsigned long size)
{
	AnnotateBenignRaceSized(__FILE__, __LINE__, what, size, "read without a lock, changed by atomic operations or under one");
}

/** All of them begin, and end, at the same time; who is early still answers. */
static void
together(int turn)
{
	__atomic_fetch_add(&waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < turn * (int)ncpus) {
		poll();
		sched_yield();
	}
}

static void *
thread(void *arg)
{
	my_id = (int)(long)arg;
	quick = (unsigned)my_id * 7919 + (unsigned)getpid();
	host_on(my_id);
	together(1);
	body(my_id);
	together(2);
	return (NULL);
}

int
sched_explore(const char *name, unsigned n, void (*cpu_runs)(int id), void (*judge)(void))
{
	pthread_t t[SCHED_CPUS];

	(void)name;
	ncpus = n;
	body = cpu_runs;
	alarm(PATIENCE);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, thread, (void *)(long)i) != 0)
			abort();
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	judge();
	return (0);
}

/* ------------------------------------------------------------------ volatile: what the kernel means by it is an atomic access */

#define VOLATILE(n, bits) \
	extern uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *, int); \
	extern uint##bits##_t __tsan_atomic##bits##_fetch_or(volatile uint##bits##_t *, uint##bits##_t, int); \
	void __tsan_volatile_read##n(void *p) { (void)__tsan_atomic##bits##_load(p, __ATOMIC_ACQUIRE); } \
	void __tsan_volatile_write##n(void *p) { (void)__tsan_atomic##bits##_fetch_or(p, 0, __ATOMIC_RELEASE); }
/* clang-format off */
VOLATILE(1, 8)
VOLATILE(2, 16)
VOLATILE(4, 32)
VOLATILE(8, 64)
/* clang-format on */
