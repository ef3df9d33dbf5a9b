/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The two words of the command line that decide about the seed of the page tables. Also read by assembly.
 */
#ifndef BOOTWORDS_H
#define BOOTWORDS_H

#define BOOT_NO_PAE 1 /**< pae=0 */
#define BOOT_NO_PSE 2 /**< pse=0 */

#endif
