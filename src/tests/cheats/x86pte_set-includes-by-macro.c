/* refused: in no other way */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it includes the answer, under a name that a macro makes.
 */
#define ANSWER <solutions/lab1-entries/x86pte_set.c>
#include ANSWER
