/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Bits of control registers and numbers of model-specific ones [SDM3 2.5, SDM4]. Plain numbers only.
 */
#ifndef X86_REGS_H
#define X86_REGS_H

#define CR0_PE 0x00000001u /**< protected mode */
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u /**< no FPU: its instructions trap */
#define CR0_TS 0x00000008u /**< set by a task switch */
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u /**< the kernel respects read-only pages too */
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u /**< paging */

#define CR4_PSE 0x00000010u /**< 4 MiB pages */
#define CR4_PAE 0x00000020u /**< 8-byte entries */
#define CR4_PGE 0x00000080u /**< global pages */

#define MSR_APIC_BASE 0x0000001bu
#define MSR_PAT       0x00000277u
#define MSR_EFER      0xc0000080u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_KGS_BASE  0xc0000102u /**< what swapgs exchanges GS_BASE with */

#define EFER_SCE 0x001u
#define EFER_LME 0x100u /**< long mode once paging is on */
#define EFER_LMA 0x400u /**< long mode is on (read only) */
#define EFER_NXE 0x800u /**< bit 63 of an entry means no-execute */

#define EFLAGS_TF 0x00000100u /**< trap after each instruction */
#define EFLAGS_IF 0x00000200u
#define EFLAGS_NT 0x00004000u

#endif
