/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The scheduler: one run queue, round robin, any thread on any CPU, save those that are bound to one.
 *
 * A CPU with nothing to run runs its idle thread, which is on no queue. The tick asks for a switch when somebody waits
 * (cpu_resched); it happens on the way out of the interrupt, or, if preemption was off, in kpreempt_enable().
 *
 * sched_lock is taken with interrupts off and passes from the thread that leaves to the thread that comes; a thread's saved
 * interrupt state is a local variable on its own stack.
 */
#include <kern/hat_hooks.h>
#include <kern/thread_impl.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/startup.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>
#include <x86/vectors.h>

spinlock_t sched_lock;
static kthread_t *run_queue;
static cpuset_t idle_cpus; /* CPUs in their idle thread that nobody has woken yet */

void
waitq_add(kthread_t **head, kthread_t *t)
{
	while (*head != NULL)
		head = &(*head)->t_next;
	*head = t;
	t->t_next = NULL;
}

kthread_t *
waitq_take(kthread_t **head)
{
	kthread_t *t = *head;

	if (t != NULL)
		*head = t->t_next;
	return (t);
}

void
waitq_remove(kthread_t **head, kthread_t *t)
{
	while (*head != NULL && *head != t)
		head = &(*head)->t_next;
	ASSERT(*head == t);
	*head = t->t_next;
}

void
sched_wake(kthread_t *t)
{
	cpuset_t able = idle_cpus & (t->t_bound == NULL ? ~(cpuset_t)0 : CPUSET(t->t_bound->cpu_id));
	int id;

	ASSERT(spin_held(&sched_lock));
	t->t_state = T_RUN;
	waitq_add(&run_queue, t);
	if (able == 0)
		return;
	id = __builtin_ctzl(able);
	idle_cpus &= ~CPUSET(id);
	if (id != CPU->cpu_id)
		apic_send(cpu[id], VEC_RESCHED);
}

/* The first that may run on this CPU. */
static kthread_t *
run_queue_take(cpu_t *c)
{
	kthread_t *t = run_queue;

	while (t != NULL && t->t_bound != NULL && t->t_bound != c)
		t = t->t_next;
	if (t != NULL)
		waitq_remove(&run_queue, t);
	return (t);
}

bool
sched_running(const kthread_t *t)
{
	for (int i = 0; i < NCPU; i++) {
		cpu_t *c = cpu[i];

		if (c != NULL && *(kthread_t *volatile *)&c->cpu_thread == t)
			return (true);
	}
	return (false);
}

/* Handlers and holders of spinlocks have interrupts off. With them on, CPU might be another one a moment later. */
bool
sched_may_block(void)
{
	ulong_t saved = intr_save();
	cpu_t *c = CPU;
	bool may = curthread->t_preempt == 0 && c->cpu_intr_depth == 0 && c->cpu_spin_depth == 0 && c->cpu_idle != NULL;

	intr_restore(saved);
	return (may);
}

static void
stack_check(const kthread_t *t)
{
	if (*(volatile uint32_t *)t->t_stack != STACK_MAGIC)
		panic("thread %s has overflown its stack at 0x%lx", t->t_name, (ulong_t)(uintptr_t)t->t_stack);
}

void
sched_switch(void)
{
	cpu_t *c = CPU;
	kthread_t *old = c->cpu_thread, *next = run_queue_take(c);

	ASSERT(spin_held(&sched_lock) && c->cpu_spin_depth == 1 && c->cpu_intr_depth == 0);
	c->cpu_resched = 0;
	if (next == NULL)
		next = c->cpu_idle;
	if (next == NULL)
		panic("sched_switch: nothing to run instead of thread %s", old->t_name);
	stack_check(old);
	next->t_state = T_ONPROC;
	next->t_cpu = c;
	if (next == old)
		return;
	idle_cpus &= ~CPUSET(c->cpu_id);
	c->cpu_thread = next;
	md_set_kstack(c, (uintptr_t)next->t_stack + next->t_stacksize);
	hat_thread_switch(next);
	md_switch(&old->t_context, next->t_context);
}

void
thread_yield(void)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *me = curthread;

	if (me == CPU->cpu_idle) {
		if (run_queue != NULL)
			sched_switch();
	} else if (run_queue != NULL) {
		sched_wake(me);
		sched_switch();
	}
	spin_exit(&sched_lock, saved);
}

void
sched_preempt(void)
{
	cpu_t *c = CPU;

	if (c->cpu_resched && panicstr == NULL && sched_may_block())
		thread_yield();
}

void
kpreempt_disable(void)
{
	curthread->t_preempt++;
	__asm__ volatile("" : : : "memory");
}

/* With interrupts off the caller has more to do before it may be disturbed: the next tick will see cpu_resched. */
void
kpreempt_enable(void)
{
	kthread_t *me = curthread;

	__asm__ volatile("" : : : "memory");
	ASSERT(me->t_preempt > 0);
	me->t_preempt--;
	if (me->t_preempt == 0 && CPU->cpu_resched && intr_enabled())
		sched_preempt();
}

/*
 * Nothing to do: halt until an interrupt. The look at the queue and the halt are one step, since interrupts are off between
 * them: who makes a thread runnable after the look sees us in idle_cpus, and its interrupt ends the halt.
 */
void
sched_idle(void)
{
	ulong_t saved;

	for (;;) {
		saved = spin_enter(&sched_lock);
		if (run_queue != NULL)
			sched_switch();
		idle_cpus |= CPUSET(CPU->cpu_id);
		spin_exit(&sched_lock, saved & ~(ulong_t)EFLAGS_IF);
		xc_poll(); /* asked before we say that we sleep */
		tlb_going_idle();
		sti_hlt();
		cli();
		tlb_service();
		sti();
	}
}

static void
idle_thread(void *arg)
{
	(void)arg;
	sched_idle();
}

kthread_t *
thread_create_idle(cpu_t *c)
{
	kthread_t *t = thread_alloc("idle", idle_thread, NULL);

	if (t == NULL)
		panic("thread_create_idle: no memory for CPU %d", c->cpu_id);
	t->t_preempt = 1; /* it leaves its CPU only where it wants to */
	c->cpu_idle = t;
	return (t);
}

void
sched_init(void)
{
	*(uint32_t *)curthread->t_stack = STACK_MAGIC;
	(void)thread_create_idle(CPU);
}

/* The thread that left has given us sched_lock and interrupts off. */
void
thread_start(void)
{
	kthread_t *me = curthread;

	spin_exit(&sched_lock, EFLAGS_IF);
	me->t_func(me->t_arg);
	thread_exit();
}

/*
 * Cross-calls are answered before the HAT counts on it; what this CPU has cached before the HAT knew it, nobody has flushed.
 */
void
ap_main(cpu_t *c)
{
	c->cpu_online = CPU_ANSWERS;
	atomic_inc_int(&ncpus);
	hat_cpu_online(c);
	write_cr4(read_cr4() ^ CR4_PGE); /* drops global translations too, either way [SDM3 4.10.4.1] */
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr3(read_cr3());
	c->cpu_online = CPU_SCHEDULES;
	clock_start();
	sched_idle();
}
