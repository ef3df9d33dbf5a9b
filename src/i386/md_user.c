/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Programs (32-bit): number in eax, arguments in ebx, ecx, edx.
 */
#include <sys/md_user.h>

bool
md_user_can_run(bool is32)
{
	return (is32);
}

void
md_user_frame_for(struct trapframe *tf, uintptr_t pc, uintptr_t sp, bool is32)
{
	(void)is32;
	md_user_frame(tf, pc, sp);
}

uintptr_t
md_syscall_args(const struct trapframe *tf, uintptr_t arg[3])
{
	arg[0] = tf->tf_ebx;
	arg[1] = tf->tf_ecx;
	arg[2] = tf->tf_edx;
	return (tf->tf_eax);
}

void
md_syscall_result(struct trapframe *tf, intptr_t result)
{
	tf->tf_eax = (uint32_t)result;
}
