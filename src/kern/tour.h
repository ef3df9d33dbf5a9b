/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The tour: a few address spaces worth looking at, with a checkpoint at each.
 */
#ifndef KERN_TOUR_H
#define KERN_TOUR_H

/** Build, show, take apart; what `make run` compares. Leaves nothing behind. */
void tour(void);

#endif
