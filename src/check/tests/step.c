/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Single steps by the trap flag [SDM3 17.3.1.4].
 */
#include <check/step.h>
#include <kern/hat_hooks.h>
#include <sys/md.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>
#include <x86/regs.h>

static struct {
	kthread_t	*thread;	/**< who steps; NULL: nobody */
	void		(*between)(uint_t n);
	uint_t		n;
} step;

/* Who was thrown out of the function in between still has the flag: then it is taken away here. */
bool
step_trap(struct trapframe *tf)
{
	bool on = step.thread == curthread && step.n < STEP_MAX;

	if (on)
		step.between(step.n++);
	tf_set_step(tf, on);
	return (true);
}

static inline void
trap_flag(bool on)
{
	ulong_t flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags) : : "memory");
	flags = on ? flags | EFLAGS_TF : flags & ~(ulong_t)EFLAGS_TF;
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

uint64_t
step_through(uint64_t (*func)(volatile void *a, uint64_t b, uint64_t c), volatile void *a, uint64_t b, uint64_t c,
    void (*between)(uint_t n), uint_t *steps)
{
	uint64_t result;

	kpreempt_disable();
	step.between = between;
	step.n = 0;
	step.thread = curthread;
	trap_flag(true);
	result = func(a, b, c);
	trap_flag(false);
	step.thread = NULL;
	kpreempt_enable();
	if (steps != NULL)
		*steps = step.n;
	return (result);
}
