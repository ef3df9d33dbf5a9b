/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief How a kernel dies, for the grader's tests: before it is born: this is not C.
 */
#include <hat/htable.h>

htable_t *
htable_create(hat_t *hat, uintptr_t va, level_t level, htable_t *shared)
{
	return (nothing of the kind);
}
