/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The pretend machine's shapes of what <sys/md.h> lists: there are no registers and no traps.
 */
#ifndef HOST_MD_IMPL_H
#define HOST_MD_IMPL_H

#include <sys/types.h>

struct trapframe {
	uintptr_t tf_pc;
	bool tf_step;
};
struct md_cpu {
	int mc_none;
};
struct md_context {
	uintptr_t mx_words[8]; /**< as many as the width's md_switch() pushes */
};
struct md_jmpbuf {
	uintptr_t mj_words[9];
};

#ifdef SCHEDULES /* several CPUs take turns, or run on threads of the host: outside knows which one asks */
struct machine_self {
	struct cpu *cpu;
	struct kthread *thread;
};
struct machine_self *machine_self(void) __attribute__((const));
#	define host_cpu    (machine_self()->cpu)
#	define host_thread (machine_self()->thread)
#else
extern struct cpu *host_cpu;        /**< the pretend CPU that runs now: host_on() */
extern struct kthread *host_thread; /**< its thread */
#endif

static inline struct cpu *
md_cpu(void)
{
	return (host_cpu);
}
static inline struct kthread *
md_curthread(void)
{
	return (host_thread);
}
static inline void
md_cr3_changed(uintptr_t cr3)
{
	(void)cr3;
}

static inline uintptr_t
tf_pc(const struct trapframe *tf)
{
	return (tf->tf_pc);
}
static inline void
tf_set_step(struct trapframe *tf, bool on)
{
	tf->tf_step = on;
}
static inline const struct trapframe *
md_frame_trap(uintptr_t fp)
{
	return ((const struct trapframe *)fp);
}

#define md_call_cold(f, arg) f(arg)
#define md_ask_cold(f, arg)  f(arg)

#endif
