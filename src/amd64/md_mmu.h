/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What 64-bit mode leaves no choice about, as constants: entries are 8 bytes, tables have 512. See i386/md_mmu.h.
 */
#ifndef MD_MMU_H
#define MD_MMU_H

#define MMU_PAE         true
#define MMU_PTE_SHIFT   3u
#define MMU_PTES        512u
#define MMU_GROUP_SHIFT 4u
#define LEVEL_SHIFT(l)  (PAGESHIFT + 9u * (uint_t)(l))

#endif
