/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A plain image: nothing is behind a jump. In a trial image the generated table takes the place of this one.
 *
 * A file of its own, or the compiler would use the values without asking the linker.
 */
#include <check/trial.h>

__attribute__((weak)) const struct trial_func trial_funcs[1] = { { "-", "-", "-", TRIAL_THREAD, 0, 0, NULL } };
__attribute__((weak)) const uint_t trial_nfuncs = 0;
