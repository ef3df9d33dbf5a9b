/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What these services ask of the layers above them, the HAT and the VM system. Prototypes only.
 */
#ifndef KERN_HAT_HOOKS_H
#define KERN_HAT_HOOKS_H

#include <sys/types.h>

struct cpu;
struct kthread;
struct trapframe;

/** @name hat/ (see hat/hat_impl.h)
 * @{ */
void tlb_going_idle(void);
void tlb_service(void);
void hat_cpu_online(struct cpu *cp);
void hat_thread_switch(struct kthread *next);
/** @} */

/** Map device registers, uncached, for ever. Usable once the HAT runs; never NULL. */
void *map_device(paddr_t pa, size_t len);

/** Resolve a page fault at va (error code as the CPU pushed it). False: the access was an error. Weak default: false. */
bool vm_fault(uintptr_t va, uint32_t error, struct trapframe *tf);
/** Any other trap from ring 3, int 0x80 included. False: not handled. Weak default: false. */
bool user_trap(struct trapframe *tf);
/** A debug trap in the kernel. False: nobody steps. Weak default: false. */
bool step_trap(struct trapframe *tf);
/** A thread is about to return to ring 3 from a trap or interrupt; interrupts off. It may end here. Weak default: nothing. */
void user_return(struct trapframe *tf);

#endif
