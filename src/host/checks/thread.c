/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Threads for the checks of a lab: each has a stack, and runs until it waits for somebody.
 *
 * The kernel's own switch of stacks does it (src/amd64/switch.S, src/i386/switch.S). Time passes where somebody waits.
 */
#include <host/checks/checks.h>
#include <kern/hat_hooks.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <sys/thread.h>

#define STACK      (256 * 1024) /* AddressSanitizer's frames are large */
#define TURNS_TICK 50u          /* so many turns are a tick, if nobody sleeps meanwhile */

static kthread_t *ring; /* all threads, in turn, by t_next */
static uint_t turns;
static uint32_t born;

static kthread_t *
first_thread(void)
{
	if (ring == NULL) {
		ring = curthread;
		ring->t_next = ring;
	}
	return (ring);
}

/* Its CPU runs it already, or can leave what it runs. Who sleeps looks itself whether that is over. */
static bool
can_run(const kthread_t *t)
{
	const kthread_t *now = t->t_cpu->cpu_thread;

	return (t->t_state != T_DEAD && (now == t || now->t_state == T_DEAD || now->t_preempt == 0));
}

static void
switch_to(kthread_t *t)
{
	kthread_t *me = curthread;
	bool other = t->t_cpu->cpu_thread != t;
	void *save;

	t->t_cpu->cpu_thread = t;
	host_on(t->t_cpu->cpu_id);
	if (other)
		hat_thread_switch(t);
	machine_stack_before(&save, t->t_stack, t->t_stacksize);
	md_switch(&me->t_context, t->t_context);
	machine_stack_after(save);
}

bool
checks_switch(void)
{
	kthread_t *me = curthread, *t = me;

	first_thread();
	if (++turns % TURNS_TICK == 0)
		lbolt++;
	do
		t = t->t_next;
	while (t != me && !can_run(t));
	if (t == me)
		return (false);
	switch_to(t);
	checks_tick();
	return (true);
}

static void
begin(void)
{
	machine_stack_after(NULL);
	curthread->t_func(curthread->t_arg);
	curthread->t_state = T_DEAD;
	(void)checks_switch();
	panic("a thread that has ended runs again");
}

/* As if begin() had been called by the word above it. */
static struct md_context *
first_context(kthread_t *t)
{
	uintptr_t top = ((uintptr_t)t->t_stack + t->t_stacksize) & ~(uintptr_t)63;
	uintptr_t *at = (uintptr_t *)top;

	*--at = 0; /* where begin() would return to */
	*--at = (uintptr_t)begin;
	at -= sizeof(uintptr_t) == 8 ? 6 : 4; /* the registers that md_switch() pops */
	memset(at, 0, (sizeof(uintptr_t) == 8 ? 6 : 4) * sizeof(uintptr_t));
	return ((struct md_context *)at);
}

kthread_t *
thread_create_on(cpu_t *c, const char *name, void (*func)(void *), void *arg)
{
	kthread_t *t = memset(machine_alloc(sizeof(*t), 0), 0, sizeof(*t)), *older = first_thread();

	t->t_func = func;
	t->t_arg = arg;
	t->t_id = ++born;
	t->t_cpu = t->t_bound = c;
	t->t_state = T_ONPROC;
	t->t_stacksize = STACK;
	t->t_stack = machine_alloc(STACK, 64);
	strlcpy(t->t_name, name, sizeof(t->t_name));
	t->t_context = first_context(t);
	t->t_next = older->t_next;
	older->t_next = t;
	return (t);
}

kthread_t *
thread_create(const char *name, void (*func)(void *), void *arg)
{
	return (thread_create_on(CPU, name, func, arg));
}

void
thread_join(kthread_t *t)
{
	kthread_t *before = t;

	while (t->t_state != T_DEAD)
		thread_yield();
	while (before->t_next != t)
		before = before->t_next;
	before->t_next = t->t_next;
	if (t->t_cpu->cpu_thread == t)
		t->t_cpu->cpu_thread = t->t_cpu->cpu_idle;
	machine_free(t->t_stack);
	machine_free(t);
}

void
thread_drop_locks(void)
{
	kthread_t *me = curthread;

	while (me->t_nlocks > 0) {
		kmutex_t *m = me->t_locks[me->t_nlocks - 1];

		if (m->m_owner == me)
			mutex_exit(m);
		else
			me->t_nlocks--;
	}
}
