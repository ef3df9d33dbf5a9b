/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Crashes to order, to test what is said about them.
 */
#ifndef KERN_CRASH_H
#define KERN_CRASH_H

/** If the command line says `crash=NAME`, do what NAME says: the machine stops with a message that names the cause. */
void crash_wanted(void);

#endif
