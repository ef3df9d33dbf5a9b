/* refused: not one of the headers for units */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it includes the answer.
 */
#include "../../solutions/lab1-entries/x86pte_set.c"
