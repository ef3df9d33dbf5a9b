/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The two halves of stopping the machine, for panic(), fatal traps and the watchdog.
 */
#ifndef KERN_PANIC_IMPL_H
#define KERN_PANIC_IMPL_H

#include <sys/md.h>

/** Interrupts off, panicstr set, all other CPUs stopped. Does not return when another CPU is panicking already. */
void panic_begin(const char *fmt);
/** Print the message, the registers if there is a frame, the backtrace, the record of it; then halt. */
void panic_end(const char *text, const struct trapframe *tf) NORETURN;
/** A trap that nobody handles: gives a running check the chance to end, else stops the machine. */
void panic_trap(const struct trapframe *tf, const char *text) NORETURN;

/** What an exception is called. */
const char *trap_name(uint_t vector);

#endif
