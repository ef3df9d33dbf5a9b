/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The other side of <sys/md.h>: what programs in ring 3 are like. Also provided by i386/ and amd64/.
 */
#ifndef SYS_MD_USER_H
#define SYS_MD_USER_H

#include <sys/md.h>

/** Can this kernel run such programs? The 64-bit one runs both kinds. */
bool md_user_can_run(bool is32);
/** md_user_frame() for a program of the given width. */
void md_user_frame_for(struct trapframe *tf, uintptr_t pc, uintptr_t sp, bool is32);
/** Number and arguments of the system call that a trapframe is, by the width of the code that made it. */
uintptr_t md_syscall_args(const struct trapframe *tf, uintptr_t arg[3]);
/** What the system call returns. */
void md_syscall_result(struct trapframe *tf, intptr_t result);

#endif
