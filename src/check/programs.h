/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Running the user programs that the command line names.
 */
#ifndef CHECK_PROGRAMS_H
#define CHECK_PROGRAMS_H

/** One after the other, each to its end. */
void programs_main(void);

#endif
