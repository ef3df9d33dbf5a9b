/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Bits of page-table entries, as the hardware defines them and as this kernel uses the rest [SDM3 4.3-4.5].
 *
 * The one header that the page tables' author and their independent checkers share. Plain numbers only.
 */
#ifndef X86_PTE_H
#define X86_PTE_H

#include <sys/types.h>

typedef uint64_t x86pte_t;   /**< software form of any entry, whatever its size in memory */
typedef uint32_t x86pte32_t; /**< in-memory form without PAE */

#define PT_VALID     0x001ull              /**< P */
#define PT_WRITABLE  0x002ull              /**< R/W */
#define PT_USER      0x004ull              /**< U/S */
#define PT_WRITETHRU 0x008ull              /**< PWT */
#define PT_NOCACHE   0x010ull              /**< PCD */
#define PT_REF       0x020ull              /**< A: set by the MMU on any use */
#define PT_MOD       0x040ull              /**< D: set by the MMU on a write through a leaf */
#define PT_PAGESIZE  0x080ull              /**< PS: a leaf, above level 0 */
#define PT_PAT_4K    0x080ull              /**< PAT: of a level-0 leaf, at the place of PS */
#define PT_GLOBAL    0x100ull              /**< G: the translation survives a load of CR3 */
#define PT_SOFTWARE  0xe00ull              /**< ignored by the MMU: an ordered number, below */
#define PT_PAT_LARGE 0x1000ull             /**< PAT of a large leaf */
#define PT_NX        0x8000000000000000ull /**< XD; 8-byte entries, EFER.NXE */

#define PT_PADDR      0x000ffffffffff000ull
#define PT_PADDR_LGPG 0x000fffffffffe000ull /**< leaves out the PAT bit of large leaves */
#define PT_FLAGBITS   0xfffull
#define PT_PTPBITS    (PT_VALID | PT_WRITABLE | PT_USER | PT_REF) /**< of a link: allow all, never written by the MMU */

/**
 * @name Values of PT_SOFTWARE. Each implies the properties of the smaller ones (spec 5.3).
 * @{
 */
#define PT_NOSYNC    0x200ull /**< mapping recorded, accessed and dirty not collected */
#define PT_NOCONSIST 0x400ull /**< mapping not recorded either */
#define PT_FOREIGN   0x600ull /**< not our frame (hypervisor flavour) */
/** @} */

#define PTE_ISVALID(e)    (((e)&PT_VALID) != 0)
#define PTE_IS_LGPG(e, l) ((l) > 0 && ((e)&PT_PAGESIZE) != 0)
#define PTE_ISPAGE(e, l)  (PTE_ISVALID(e) && ((l) == 0 || ((e)&PT_PAGESIZE) != 0))
#define PTE_EQUIV(a, b)   ((((a) ^ (b)) & ~(PT_REF | PT_MOD)) == 0)
#define PTE2PFN(e, l)     ((pfn_t)(((e) & (PTE_IS_LGPG(e, l) ? PT_PADDR_LGPG : PT_PADDR)) >> PAGESHIFT))

#endif
