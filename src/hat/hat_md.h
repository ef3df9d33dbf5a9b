/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The HAT's questions to the chosen flavour: six functions, written twice (i386/hat_md.c, amd64/hat_md.c).
 */
#ifndef HAT_HAT_MD_H
#define HAT_HAT_MD_H

#include <hat/hat_impl.h>

/**
 * Set num_level, level_shift[], top_level_count, pte_size, max_page_level and umax_page_level of `mmu` [SDM3 4.3-4.5].
 * @locks  none: one CPU
 */
void md_mmu_geometry(void);
/**
 * Does this address space keep its top table inside the hat (spec 1.8)?
 * @param as  whose; NULL: nobody's
 * @return    i386-PAE: yes; amd64: a 32-bit process's does
 * @locks     none
 */
bool md_hat_is_vlp(const struct as *as);
/**
 * Where a CPU keeps the four entries of the VLP hat that it runs, and what its CR3 is then.
 * @param id   the CPU's
 * @param hci  its info, where that goes
 * @pre        i386: vlp_page is mapped; amd64: the kernel's top table does not change any more
 * @panics     i386: no place for more than 127 CPUs (facts: CPU, how many fit)
 * @locks      none held: amd64 allocates, takes table locks and the window
 * @inv{P3} @inv{F2}
 */
void md_vlp_init(int id, struct hat_cpu_info *hci);
/**
 * Show the kernel in a new VLP hat's four entries: on i386. On amd64 each CPU's own top table does.
 * @param hat  not run yet
 * @locks      none: those of the kernel do not change any more
 * @inv{L5}
 */
void md_vlp_copy_kernel(hat_t *hat);
/**
 * Frame of the top boot table.
 * @return  the frame
 * @locks   none
 */
pfn_t md_boot_top(void);
/**
 * Look at the top boot table, with paging on: does the MMU mark links there that, by the manual, it only reads [SDM3 4.4.1]? Then all
 * links of that kind, ours to come (mmu.ptp_bits) too, get the mark now, so that they stay as they are written.
 * @param top  its first entry, mapped in
 * @locks      none: one CPU
 * @inv{L1}
 */
void md_settle_links(x86pte_t *top);

#endif
