/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The parameters that every visit to an entry needs. Here they depend on whether paging was started with PAE.
 */
#ifndef MD_MMU_H
#define MD_MMU_H

#define MMU_PAE         (mmu.pae_hat)          /**< entries are 8 bytes */
#define MMU_PTE_SHIFT   (mmu.pte_size_shift)   /**< log2 of the bytes of an entry */
#define MMU_PTES        (mmu.ptes_per_table)   /**< entries of a table, but for the top one of PAE */
#define MMU_GROUP_SHIFT (mmu.group_shift)      /**< log2 of the entries in a group (htable_note()) */
#define LEVEL_SHIFT(l)  (mmu.level_shift[(l)]) /**< log2 of the bytes that an entry at this level maps */

#endif
