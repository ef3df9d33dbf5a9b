/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The pretend MMU: walks the tables in the pretend memory, and forgets nothing until it is told to.
 *
 * Crueller than any real one: each CPU keeps *every* translation it ever made, and every link it ever followed, until a
 * flush that covers it; and a write that it allows marks the entry dirty, even if the entry has ceased to allow it. Shares nothing with the HAT but the bits of x86/pte.h.
 */
#ifndef HOST_MMU_H
#define HOST_MMU_H

#include <x86/pte.h>

/**
 * @name What an access is, and how a fault tells why: the error code of a page fault [SDM3 4.7]
 * @{
 */
#define MMU_PRESENT  0x01u /**< faults only: there was an entry, it forbade the access */
#define MMU_WRITE    0x02u
#define MMU_USER     0x04u
#define MMU_RESERVED 0x08u /**< faults only: an entry with reserved bits */
#define MMU_EXEC     0x10u
#define MMU_FAULT    0x100u /**< faults only: always set, so that none is 0 */
/** @} */

/** Switch the machine on: registers as the entry code leaves them. @param top frame of the seed's top table */
void mmu_power_on(unsigned ncpu, pfn_t top, uintptr_t cr4, uint64_t efer);
/** Give CPU `to` the control registers of CPU `from`, and nothing in its TLB. */
void mmu_copy_registers(int from, int to);

/**
 * One access by the current CPU: through its TLB if it can, else through the tables, setting accessed and dirty.
 * @param how  MMU_WRITE | MMU_USER | MMU_EXEC
 * @param pa   receives the physical address
 * @return     0, or the fault
 */
uint_t mmu_access(uint64_t va, uint_t how, paddr_t *pa);

/**
 * P5 for all CPUs: every translation and link remembered agrees with the tables or allows less, every window shows what its
 * entry says. `exempt` CPUs (one bit each) have been told to flush when they wake. Each violation is printed.
 * @return  how many
 */
uint_t mmu_verify(ulong_t exempt);
/** The same for the translations of one address only. */
uint_t mmu_verify_page(uint64_t va, ulong_t exempt);
/** Translations remembered by all CPUs now. */
uint_t mmu_remembered(void);

/**
 * @name Counters
 * @{
 */
extern uint64_t mmu_walks, mmu_hits, mmu_weaker, mmu_invlpgs, mmu_flushes, mmu_window_moves;
/** @} */

#endif
