/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Mistakes linked beside the right functions (sched.mk): one of them takes its place when asked for.
 */
#ifndef HOST_SCHED_PLANT_H
#define HOST_SCHED_PLANT_H

#include <stdbool.h>

/** One function of one mistake. The table is made by sched.mk; it ends with a NULL name. */
struct planted {
	const char *name; /**< of the mistake; several functions may have one name */
	void (*right)(void);
	void (*wrong)(void);
};
extern const struct planted planted[];

/** From now on calls of the right function are calls of the wrong one. @return false: there is no such mistake */
bool plant(const char *name);
/** Print their names. */
void plant_list(void);

#endif
