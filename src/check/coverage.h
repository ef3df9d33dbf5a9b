/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a kernel made with COVERAGE=1 does at its end, and any other does not.
 */
#ifndef CHECK_COVERAGE_H
#define CHECK_COVERAGE_H

/** Tell the host how often each arc of the counted files was taken (lines "gcov ..." on port E9). */
void coverage_tell(void);

#endif
