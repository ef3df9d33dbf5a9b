/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The three kinds of stop: ASSERT (cannot happen), panic (the machine or a caller is broken), lab_todo (a stub).
 */
#ifndef SYS_DEBUG_H
#define SYS_DEBUG_H

#include <sys/types.h>

/**
 * Stop the machine with a message, a symbolic backtrace and the E9 records `%panic` and `%done result=panic`.
 *
 * Inside a check that runs a student's copy (check_active()), the check fails with the message instead and the
 * kernel lives on. A second panic on the same CPU prints its message and halts at once.
 */
void panic(const char *fmt, ...) NORETURN PRINTFLIKE(1, 2);

/** Non-NULL once the machine is stopping: the format string of the first panic. TLB work becomes local then. */
extern const char *volatile panicstr;

/** A broken assertion: `what` is its text, as written. Never inlined, so that a breakpoint here catches all of them. */
void assfail(const char *what, const char *file, int line) NORETURN;

/** Where a stub ends: names the lab and the handout section to read; a check gets control back, a plain kernel stops. */
void lab_todo(int lab, const char *function, const char *section) NORETURN;

#ifdef DEBUG
#	define ASSERT(x) ((void)((x) ? 0 : (assfail(#        x, __FILE__, __LINE__), 0)))
#else
#	define ASSERT(x) ((void)sizeof(x))
#endif

#endif
