/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Numbers of interrupt vectors: the CPU's own below 32 [SDM3 6.3.1], ours above. A higher number is a higher priority.
 */
#ifndef X86_VECTORS_H
#define X86_VECTORS_H

#define VEC_DEBUG      1
#define VEC_NMI        2
#define VEC_BREAKPOINT 3
#define VEC_DOUBLE     8
#define VEC_GP         13
#define VEC_PF         14
#define VEC_EXCEPTIONS 32   /**< exceptions are below this */
#define VEC_PIC        0x20 /**< 16 of them: where the old interrupt controllers are sent to be silent */
#define VEC_SYSCALL    0x80 /**< int 0x80 from ring 3 */
#define VEC_TICK       0xe0 /**< local APIC timer */
#define VEC_RESCHED    0xe1 /**< "look at the run queue": wakes an idle CPU */
#define VEC_XCALL      0xf0 /**< "look at the cross-call" */
#define VEC_SPURIOUS   0xff /**< wants no end-of-interrupt */

#endif
