/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The boot mapper: builds page tables before there is a HAT (spec 8.7), in the very form that htable_attach() adopts.
 *
 * Not an answer to grow: it knows one address space, one CPU, and frees nothing. All but the window refuse to run once
 * khat_running is set. It takes no locks: nobody else runs. Links are what MAKEPTP() gives, bit for bit, and leaves have PT_NOCONSIST.
 */
#ifndef HAT_KBM_H
#define HAT_KBM_H

#include <hat/mmu.h>

/**
 * Bring the tables that the entry code seeded to their final form: NX, global, read-only text. After mmu_init().
 * @locks  none: one CPU
 * @inv{L1} @inv{E1}
 */
void kbm_init(void);
/**
 * Map one page: kernel, writable and not executable, global above kernelbase.
 * @param va,pa  aligned to the page's size
 * @param level  of the page, at most mmu.max_page_level
 * @panics       something is there (facts: address, level, entry); khat_running (facts: address)
 * @locks        none: one CPU
 * @inv{L1} @inv{L3} @inv{L7} @inv{E1} @inv{E2} @inv{E4}
 */
void kbm_map(uintptr_t va, paddr_t pa, level_t level);
/**
 * Map a range with the largest pages that fit, up to mmu.max_page_level.
 * @param va,pa  page aligned
 * @param len    bytes, whole pages
 * @panics       as kbm_map()
 * @locks        none: one CPU
 * @inv{L3} @inv{L8}
 */
void kbm_map_range(uintptr_t va, paddr_t pa, size_t len);
/**
 * The leaf at an address.
 * @param va      any address
 * @param levelp  its level, if wanted and there is one
 * @return        its value; 0: none
 * @locks         none: one CPU
 */
x86pte_t kbm_probe(uintptr_t va, level_t *levelp);
/**
 * Clear the leaf at an address, and flush it here. Tables stay.
 * @param va  in the page
 * @panics    nothing is mapped there (facts: address); khat_running (facts: address)
 * @locks     none: one CPU
 * @inv{L4}
 */
void kbm_unmap(uintptr_t va);
/**
 * Take the write permission away from what is mapped at an address, and flush it here.
 * @param va  in the page
 * @panics    as kbm_unmap()
 * @locks     none: one CPU
 */
void kbm_read_only(uintptr_t va);
/**
 * A zeroed frame for a table, from boot memory. Moves the boot window.
 * @return  the frame
 * @panics  boot memory ends
 * @locks   none: one CPU
 * @inv{L4} @inv{F2}
 */
pfn_t make_ptable(void);
/**
 * Make sure that a table exists, and all above it.
 * @param va     any address that it covers
 * @param level  its level
 * @panics       khat_running (facts: address)
 * @locks        none: one CPU
 * @inv{L1}
 */
void kbm_make_table(uintptr_t va, level_t level);
/**
 * How many tables has it built?
 * @return  those below and including the top one
 * @locks   none: one CPU
 */
uint_t kbm_count_tables(void);
/**
 * Print the boot tables like hat_dump() prints a hat (docs/protocol.md).
 * @locks  as dump_hat_begin(): one CPU
 */
void kbm_dump(void);
/**
 * Frame of the top table: CR3's.
 * @return  the frame
 * @locks   none
 */
pfn_t kbm_top_pfn(void);
/**
 * A frame of boot memory. Not mapped, contents arbitrary.
 * @return  the frame
 * @panics  there is none
 * @locks   none: one CPU
 */
pfn_t boot_alloc_frame(void);

#endif
