/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The window table: one level-0 table at WINDOW_BASE whose entries are all windows onto physical memory.
 *
 *     page   0        boot window
 *     page   1        the checker's window
 *     page   2        vlp_page: the kernel's top frame (i386-PAE)
 *     page   3        VGA text memory
 *     page   4        local APIC
 *     page  16 + i    page window i: 2 x CPU for tables, 2 x CPU + 1 for the source of a copy
 *     page 511        the window table itself, so that windows can be pointed somewhere by plain stores
 *
 * Only page 511 is mapped at the start; the table has the same shape in both flavours.
 */
#ifndef SYS_WINDOWS_H
#define SYS_WINDOWS_H

#define WINDOW_VA(n) (WINDOW_BASE + (n)*4096)

#define WINDOW_BOOT  0
#define WINDOW_CHECK 1
#define WINDOW_VLP   2
#define WINDOW_VGA   3
#define WINDOW_APIC  4
#define WINDOW_PWIN  16
#define WINDOW_TABLE 511

#endif
