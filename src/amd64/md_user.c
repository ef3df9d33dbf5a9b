/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Programs of both widths (64-bit): the code segment says which, and with it where a system call has its arguments.
 *
 * 64-bit: number in rax, arguments in rdi, rsi, rdx. 32-bit: eax, and ebx, ecx, edx, as on the 32-bit kernel. A program may
 * jump from one segment to the other; its address space does not change by that.
 */
#include <sys/md_user.h>

bool
md_user_can_run(bool is32)
{
	(void)is32;
	return (true);
}

void
md_user_frame_for(struct trapframe *tf, uintptr_t pc, uintptr_t sp, bool is32)
{
	md_user_frame(tf, pc, sp);
	if (is32)
		tf->tf_cs = GDT_UCODE32 | RPL_USER;
}

uintptr_t
md_syscall_args(const struct trapframe *tf, uintptr_t arg[3])
{
	bool is32 = tf->tf_cs == (GDT_UCODE32 | RPL_USER);

	arg[0] = is32 ? (uint32_t)tf->tf_rbx : tf->tf_rdi;
	arg[1] = is32 ? (uint32_t)tf->tf_rcx : tf->tf_rsi;
	arg[2] = is32 ? (uint32_t)tf->tf_rdx : tf->tf_rdx;
	return (is32 ? (uint32_t)tf->tf_rax : tf->tf_rax);
}

void
md_syscall_result(struct trapframe *tf, intptr_t result)
{
	tf->tf_rax = (uint64_t)result;
}
