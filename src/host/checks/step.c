/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Single steps, by the host's own trap flag; flushes are counted where the pretend MMU is told of them.
 *
 * In place of labs/lab1-entries/checks_step.c.
 */
#include <host/checks/checks.h>
#include <host/mmu.h>
#include <labs/lab1-entries/step.h>
#include <sys/thread.h>

static struct {
	uint64_t (*func)(volatile void *a, uint64_t b, uint64_t c);
	volatile void *a;
	uint64_t b, c, result;
	void (*between)(uint_t n);
	uint_t n;
	bool inside;
} step;

/* Who was thrown out of the function in between still has the flag: then nobody asks. */
static int
next(unsigned long pc)
{
	if (step.between == NULL || step.n >= STEP_MAX)
		return (0);
	step.inside = step.inside || pc == (uintptr_t)step.func;
	if (!step.inside) /* the way there is ours */
		return (1);
	step.between(step.n++);
	return (1);
}

static void
call(void)
{
	step.result = step.func(step.a, step.b, step.c);
}

uint64_t
step_through(uint64_t (*func)(volatile void *a, uint64_t b, uint64_t c), volatile void *a, uint64_t b, uint64_t c,
    void (*between)(uint_t n), uint_t *steps)
{
	kpreempt_disable();
	step.between = between;
	step.n = 0;
	step.inside = false;
	step.func = func;
	step.a = a;
	step.b = b;
	step.c = c;
	machine_step(call, next);
	step.between = NULL;
	kpreempt_enable();
	if (steps != NULL)
		*steps = step.n;
	return (step.result);
}

uint_t
step_flushes(void (*func)(void))
{
	uint64_t before = mmu_invlpgs + mmu_flushes;

	func();
	return ((uint_t)(mmu_invlpgs + mmu_flushes - before));
}
