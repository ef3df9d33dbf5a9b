/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What test_branches.c and others share.
 */
#ifndef HOST_RACES_H
#define HOST_RACES_H

#include <vm/as.h>
#include <vm/page.h>

#define VA ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE | PROT_USER)

/** A 64-bit address space and one of 32 bits; one page to map. */
extern struct as wide, narrow;
extern page_t *page;

/** Take all tables that nobody holds, those that are kept when they are empty, too (which: mmu.max_page_level), so that places are bare. */
void rob_all(void);

/** The tests of test_edges.c, in an address space that is current. */
void edges_run(hat_t *hat);
/** And of test_leaves.c. */
void leaves_run(hat_t *hat);
/** And of test_corners.c. */
void corners_run(hat_t *hat);
/** And of test_rare.c. */
void rare_run(hat_t *hat);
/** And of test_cut.c. */
void cut_run(hat_t *hat);
/** And of test_dump.c. */
void dump_run(hat_t *hat);
/** And of test_windows.c. */
void windows_run(hat_t *hat);
/** And of test_walk.c, with a page to map; in address spaces of their own. */
void walk_run(page_t *pp);
/** And of test_short.c. */
void short_run(hat_t *hat);
/** And of test_sharing.c. */
void sharing_run(hat_t *hat);
/** And of test_scans.c. */
void scans_run(hat_t *hat);
/** And of test_shootdowns.c. */
void shootdowns_run(hat_t *hat);

#endif
