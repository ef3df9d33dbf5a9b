/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where a grader's debugger stops and looks (docs/grader.md). What the kernel prints is never worth a point; this is.
 *
 * Each of these functions does nothing. A graded run has a breakpoint at each; the debugger reads the arguments, who called, and
 * the framework's own data, which must be after the student's code ran what they were before.
 */
#ifndef CHECK_EVIDENCE_H
#define CHECK_EVIDENCE_H

#include <check/check.h>

/** The framework's data: in one piece, between framework_start and framework_end. Nobody changes it while a copy is in use. */
#define FRAMEWORK __attribute__((section(".data.framework")))

/** On the check's own thread, before its body. @param pass 0: each unit alone, 1: all of the lab together */
void evidence_begin(const struct check *c, ulong_t pass);
/** The copy under test has just come into use; @param uses how many functions have it */
void evidence_copy_on(const struct check *c, ulong_t uses);
/** It goes out of use now. */
void evidence_copy_off(const struct check *c, ulong_t uses);
/** The verdict, when everything has been judged. @param result 0: ok, 1: wrong, 2: a stub was reached */
void evidence_end(const struct check *c, ulong_t result);
/** A program has left ring 3 for good (graded plain images). */
void evidence_exit(const char *name, ulong_t status);

#endif
