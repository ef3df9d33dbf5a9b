/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The boot mapper: builds page tables before there is a HAT (spec 8.7), in the very form that htable_attach() adopts.
 *
 * Not an answer to grow: it knows one address space, one CPU, and frees nothing. All but the window refuse to run once
 * khat_running is set.
 */
#ifndef HAT_KBM_H
#define HAT_KBM_H

#include <hat/mmu.h>

/** Find out what the CPU can do, and bring the tables that the entry code seeded to their final form (NX, global, read-only text). */
void kbm_init(void);
/** Map one page of a level: kernel, PT_NOCONSIST, writable and not executable, global above kernelbase. Panics if something is there. */
void kbm_map(uintptr_t va, paddr_t pa, level_t level);
/** Map [pa, pa + len) with the largest pages that fit, up to mmu.max_page_level. */
void kbm_map_range(uintptr_t va, paddr_t pa, size_t len);
/** The leaf at va: its value (0: none), and if wanted its level. */
x86pte_t kbm_probe(uintptr_t va, level_t *levelp);
void kbm_unmap(uintptr_t va);
/** Take the write permission away from what is mapped at va / give it a new entry value of the same level. */
void kbm_read_only(uintptr_t va);
/** A zeroed frame for a table, from boot memory. */
pfn_t make_ptable(void);
/** Make sure the table over va at `level` exists. */
void kbm_make_table(uintptr_t va, level_t level);
/** Tables below and including the top one. */
uint_t kbm_count_tables(void);
/** Print the boot tables like hat_dump() prints a hat (docs/protocol.md). */
void kbm_dump(void);
/** Frame of the top table: CR3's. */
pfn_t kbm_top_pfn(void);
/** A frame of boot memory; panics when there is none. Not mapped. */
pfn_t boot_alloc_frame(void);

#endif
