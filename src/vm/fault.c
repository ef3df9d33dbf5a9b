/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Page faults of processes: vm_fault(), called before anybody else looks at a fault.
 *
 * Faults at user addresses come from programs, and from the kernel's peek() and poke() on their behalf; both are answered in
 * the same way. What cannot be answered ends a program; in the kernel it makes peek() say no.
 */
#include <kern/hat_hooks.h>
#include <sys/md_user.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/process.h>

/**
 * @name Error code [SDM3 4.7]
 * @{
 */
#define PF_PRESENT  0x01
#define PF_WRITE    0x02
#define PF_RESERVED 0x08
#define PF_FETCH    0x10
/** @} */

static uint_t
access_of(uint32_t error)
{
	if (error & PF_FETCH)
		return (PROT_EXEC);
	return (error & PF_WRITE ? PROT_WRITE : PROT_READ);
}

static const char *
verb_of(uint32_t error)
{
	return (error & PF_FETCH ? "executes" : error & PF_WRITE ? "writes" : "reads");
}

/* peek() may be called from anywhere; a fault may be answered only where this thread can wait, and has not the lock itself. */
static bool
may_answer(const struct trapframe *tf)
{
	return (tf_user(tf) || (tf_intr(tf) && curthread->t_preempt == 0 && curthread->t_nlocks == 0));
}

bool
vm_fault(uintptr_t va, uint32_t error, struct trapframe *tf)
{
	struct process *p = proc_current();
	as_result_t r = AS_RANGE;

	if (p == NULL || p->p_as == NULL || !may_answer(tf))
		return (false);
	if (as_range_ok(p->p_as, va, 1) && !(error & PF_RESERVED))
		r = as_fault(p->p_as, va, access_of(error));
	if (r == AS_OK)
		return (true);
	if (!tf_user(tf))
		return (false);
	proc_kill(tf, "%s 0x%lx: %s", verb_of(error), (ulong_t)va, as_result_text(r));
}
