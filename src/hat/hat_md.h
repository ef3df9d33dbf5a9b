/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The HAT's questions to the chosen flavour: six functions, written twice (i386/hat_md.c, amd64/hat_md.c).
 */
#ifndef HAT_HAT_MD_H
#define HAT_HAT_MD_H

#include <hat/hat_impl.h>

/** Set num_level, level_shift[], top_level_count, pte_size, max_page_level and umax_page_level of `mmu`. */
void md_mmu_geometry(void);
/** Does this address space keep its top table inside the hat (spec 1.8)? */
bool md_hat_is_vlp(const struct as *as);
/** Where CPU `id` keeps the four entries of the VLP hat that it runs, and what its CR3 is then. Needs vlp_page. */
void md_vlp_init(int id, struct hat_cpu_info *hci);
/** Show the kernel in a new VLP hat's four entries. */
void md_vlp_copy_kernel(hat_t *hat);
/** Frame of the top boot table. */
pfn_t md_boot_top(void);
/**
 * Look at the top boot table, with paging on: does the MMU mark links there that, by the manual, it only reads? Then all links of
 * that kind, ours to come (mmu.ptp_bits) too, get the mark now, so that they stay as they are written.
 */
void md_settle_links(x86pte_t *top);

#endif
