/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Threads are born, wait for each other, and die.
 *
 * A stack has nothing below it, so that running off its end is a fault (and, as the fault's own frame has no room either, a
 * double fault on the emergency stack, which says so): the arena of stacks imports one at a time and leaves the lower
 * half of each import unused.
 *
 * Structures of threads that have been joined are kept for the next ones, with their stacks: no work for the HAT, and no
 * pointer to a thread ever becomes a pointer to nothing.
 */
#include <kern/thread_impl.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/vmem.h>

#define STACK_SIZE 16384u

kthread_t *all_threads;
static vmem_t *stack_arena;      /* quantum STACK_SIZE */
static kmutex_t stack_lock;      /* makes the arena once */
static kthread_t *spare_threads; /* sched_lock */
static uint32_t thread_count;    /* sched_lock */

static void *
stack_import(vmem_t *source, size_t size, int vmflag)
{
	char *va = vmem_xalloc(source, size + STACK_SIZE, STACK_SIZE, vmflag);

	return (va == NULL ? NULL : va + STACK_SIZE);
}

static vmem_t *
stack_arena_get(void)
{
	mutex_enter(&stack_lock);
	if (stack_arena == NULL)
		stack_arena = vmem_create("stacks", 0, 0, STACK_SIZE, stack_import, NULL, heap_arena, VM_SLEEP);
	mutex_exit(&stack_lock);
	return (stack_arena);
}

static kthread_t *
spare_take(void)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *t = waitq_take(&spare_threads);

	spin_exit(&sched_lock, saved);
	return (t);
}

static void
spare_put(kthread_t *t)
{
	ulong_t saved = spin_enter(&sched_lock);

	t->t_next = spare_threads;
	spare_threads = t;
	spin_exit(&sched_lock, saved);
}

static kthread_t *
thread_new(void)
{
	kthread_t *t = kmem_zalloc(sizeof(*t), KM_SLEEP);
	ulong_t saved;

	t->t_stack = segkmem_alloc(stack_arena_get(), STACK_SIZE, VM_SLEEP);
	if (t->t_stack == NULL) {
		kmem_free(t, sizeof(*t));
		return (NULL);
	}
	saved = spin_enter(&sched_lock);
	t->t_older = all_threads;
	all_threads = t;
	spin_exit(&sched_lock, saved);
	return (t);
}

kthread_t *
thread_alloc(const char *name, void (*func)(void *), void *arg)
{
	kthread_t *t = spare_take(), *older;
	void *stack;

	if (t == NULL)
		t = thread_new();
	if (t == NULL)
		return (NULL);
	stack = t->t_stack;
	older = t->t_older;
	memset(t, 0, sizeof(*t));
	t->t_stack = stack;
	t->t_older = older;
	t->t_stacksize = STACK_SIZE;
	*(uint32_t *)stack = STACK_MAGIC;
	t->t_func = func;
	t->t_arg = arg;
	t->t_state = T_SLEEP;
	strlcpy(t->t_name, name, sizeof(t->t_name));
	t->t_context = md_context_init((uintptr_t)stack + STACK_SIZE, thread_start);
	return (t);
}

kthread_t *
thread_create(const char *name, void (*func)(void *), void *arg)
{
	return (thread_create_on(NULL, name, func, arg));
}

kthread_t *
thread_create_on(cpu_t *c, const char *name, void (*func)(void *), void *arg)
{
	kthread_t *t = thread_alloc(name, func, arg);
	ulong_t saved;

	if (t == NULL)
		panic("thread_create: no memory for thread %s", name);
	t->t_bound = c;
	saved = spin_enter(&sched_lock);
	t->t_id = ++thread_count;
	sched_wake(t);
	spin_exit(&sched_lock, saved);
	return (t);
}

void
thread_exit(void)
{
	kthread_t *me = curthread, *t;

	ASSERT(me->t_nlocks == 0 && me->t_preempt == 0);
	(void)spin_enter(&sched_lock);
	me->t_state = T_DEAD;
	while ((t = waitq_take(&me->t_joiner)) != NULL)
		sched_wake(t);
	sched_switch();
	panic("thread_exit: thread %s runs again", me->t_name);
}

/* T_DEAD is seen under sched_lock only, hence after the dead thread has left its stack for good. */
void
thread_join(kthread_t *t)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *me = curthread;

	while (t->t_state != T_DEAD) {
		me->t_state = T_SLEEP;
		waitq_add(&t->t_joiner, me);
		sched_switch();
	}
	spin_exit(&sched_lock, saved);
	spare_put(t);
}
