/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The lines of a dump (docs/protocol.md): what the kernel believes, read by the kernel's own route.
 *
 * Within one hat the `ht` lines may come in any order, though always the same one for the same tables; who reads them puts
 * a parent above its children by the `parent` word.
 */
#ifndef HAT_DUMP_TABLE_H
#define HAT_DUMP_TABLE_H

#include <hat/htable.h>

/**
 * The `hat` line of a hat.
 * @param hat  one without hash chains is the boot mapper's: it has only hat_htable, and all tables below are found by their links
 * @locks      none held; takes the window, for a table inside its hat the kernel's table locks; nobody else is there
 */
void dump_hat_begin(hat_t *hat);
/**
 * The `ht` line of a table and a line for each run of its entries.
 * @param ht  need not be linked
 * @locks     takes the window
 */
void dump_table(htable_t *ht);
/**
 * After a hat's tables: the summary in the shape of Bochs' `info tab`, built from the hat's tables.
 * @param hat  as for dump_hat_begin()
 * @locks      as dump_hat_begin()
 */
void dump_hat_end(hat_t *hat);

/**
 * @name The summary by hand: begin, add leaves in ascending order of address, end
 * @{
 */
/**
 * Begin.
 * @param root  what CR3 would hold
 * @locks       none
 */
void dump_range_begin(paddr_t root);
/**
 * Add a leaf. What goes on where the last one ends, in both kinds of addresses, becomes one line with it.
 * @param va    its first address
 * @param size  bytes
 * @param pa    of its first byte
 * @locks       none
 */
void dump_range_add(uintptr_t va, uintptr_t size, paddr_t pa);
/**
 * Print the last line.
 * @locks  none
 */
void dump_range_end(void);
/** @} */

/**
 * Where a hat's top table is.
 * @param hat  with its top table
 * @return     physical address of its first entry
 * @locks      none held; takes, for one inside the hat, the kernel's table locks and the window
 */
paddr_t dump_root(hat_t *hat);

/**
 * The words of hat_flags, joined by commas, or "-".
 * @param hat   whose
 * @param buf   where they go
 * @param size  bytes of it
 * @locks       none
 */
void dump_hat_flags(const hat_t *hat, char *buf, size_t size);

/**
 * For checks: told of every hat begun ('b'), table shown ('t') and hat ended ('e') instead of what would be printed. NULL: print.
 * A check that ends, however it does, ends this.
 */
extern void (*dump_listener)(char what, hat_t *hat, htable_t *ht);

extern bool dump_aloud;   /**< print the lines to every console, not only for the host */
extern uint_t dump_lines; /**< lines printed since it was last set to 0: the `lines=` of a checkpoint */

#endif
