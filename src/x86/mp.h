/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the boot CPU leaves for another one at the start of its life (boot/aptramp.S). Also read by assembly.
 */
#ifndef X86_MP_H
#define X86_MP_H

#define AP_PAGE 0x8000 /**< physical page that a started CPU begins in, in real mode */

/* Where the fields of struct ap_params are, counted from the label ap_params in the page */
#define AP_CR3         0
#define AP_CR4         4
#define AP_EFER        8
#define AP_CR0         12
#define AP_STACK       16
#define AP_ENTRY       24
#define AP_CPU         32
#define AP_PARAMS_SIZE 40

#ifndef __ASSEMBLER__
#	include <sys/types.h>

/** Pointers take 8 bytes in both kernels. */
struct ap_params {
	uint32_t ap_cr3;                  /**< the kernel's top table: below 4 GiB */
	uint32_t ap_cr4, ap_efer, ap_cr0; /**< as the boot CPU has them; ap_efer 0: there is no such register */
	uint64_t ap_stack;                /**< top of the idle thread's stack */
	uint64_t ap_entry;                /**< void (*)(struct cpu *) */
	uint64_t ap_cpu;
};

_Static_assert(offsetof(struct ap_params, ap_stack) == AP_STACK, "AP_STACK");
_Static_assert(offsetof(struct ap_params, ap_cpu) == AP_CPU, "AP_CPU");
_Static_assert(sizeof(struct ap_params) == AP_PARAMS_SIZE, "AP_PARAMS_SIZE");

extern const char aptramp_start[], aptramp_end[], ap_params[]; /**< the code to copy; the place of its parameters */
#endif

#endif
