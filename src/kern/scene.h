/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A scene of your own: address spaces as the command line describes them (docs/scenes.md).
 */
#ifndef KERN_SCENE_H
#define KERN_SCENE_H

#include <sys/types.h>

/** Was `scene=` given? */
bool scene_wanted(void);
/** Do its steps. What is there at the end stays. */
void scene(void);

#endif
