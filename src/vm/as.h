/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Address spaces, as far as the HAT must know them.
 */
#ifndef VM_AS_H
#define VM_AS_H

#include <vm/hat.h>

struct as {
	hat_t		*a_hat;		/**< its translations */
	bool		a_32bit;	/**< a 32-bit process, perhaps of a 64-bit kernel: user addresses end at 4 GiB */
};

#endif
