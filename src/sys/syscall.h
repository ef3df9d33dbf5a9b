/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief System calls: int 0x80. Shared by the kernel and by programs. A negative result is an error, always -1.
 */
#ifndef SYS_SYSCALL_H
#define SYS_SYSCALL_H

#define SYS_EXIT      1  /**< (status): 0 to 255 */
#define SYS_FORK      2  /**< (): 0 in the child, its pid in the parent */
#define SYS_WRITE     3  /**< (text, length): to the console, line by line with the pid in front; length */
#define SYS_WAIT      4  /**< (int *status or NULL): pid of a child that has ended; -1: there is none */
#define SYS_EXEC      5  /**< (name, argument): become that program; returns only when it cannot be loaded */
#define SYS_GETPID    6  /**< () */
#define SYS_YIELD     7  /**< () */
#define SYS_MMAP      8  /**< (address or 0, length, protection): zeroes; the address */
#define SYS_MUNMAP    9  /**< (address, length) */
#define SYS_MPROTECT  10 /**< (address, length, protection) */
#define SYS_THREAD    11 /**< (pc, sp): one more thread of this process; exit() ends all of them */
#define SYS_ENDTHREAD 12 /**< (): end this one */

#define EXIT_KILLED 0x100 /**< added to the status that wait() gives: killed by the kernel */

#define EXEC_ARGMAX 64 /**< bytes of name and argument, each, with the terminator */

#endif
