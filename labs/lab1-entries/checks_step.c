/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Single steps by the trap flag [SDM3 17.3.1.4].
 */
#include <kern/hat_hooks.h>
#include <labs/lab1-entries/step.h>
#include <sys/md.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>
#include <x86/regs.h>

static struct {
	kthread_t *thread; /**< who steps; NULL: nobody */
	void (*between)(uint_t n);
	uint_t n;
	uintptr_t pc; /**< of the instruction that comes next */
} step;

/* Who was thrown out of the function in between still has the flag: then it is taken away here. */
bool
step_trap(struct trapframe *tf)
{
	bool on = step.thread == curthread && step.n < STEP_MAX;

	step.pc = tf_pc(tf);
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

/* ------------------------------------------------------------------ flushes */

static uint_t flushes;

/* [SDM2 2.1]: prefixes, 0f, and an opcode. */
static void
count_flush(uint_t n)
{
	const uint8_t *p = (const uint8_t *)step.pc;

	(void)n;
	while (*p == 0x2e || *p == 0x3e || *p == 0x65 || (sizeof(uintptr_t) == 8 && (*p & 0xf0) == 0x40))
		p++;
	if (p[0] != 0x0f)
		return;
	if (p[1] == 0x22) /* MOV to a control register: 3, 4 */
		flushes += (p[2] >> 3 & 7) == 3 || (p[2] >> 3 & 7) == 4;
	else if (p[1] == 0x01) /* INVLPG is /7 with memory */
		flushes += (p[2] >> 3 & 7) == 7 && p[2] < 0xc0;
}

static void (*stepped)(void);

static uint64_t
call_stepped(volatile void *a, uint64_t b, uint64_t c)
{
	(void)a, (void)b, (void)c;
	stepped();
	return (0);
}

uint_t
step_flushes(void (*func)(void))
{
	flushes = 0;
	stepped = func;
	(void)step_through(call_stepped, NULL, 0, 0, count_flush, NULL);
	return (flushes);
}
