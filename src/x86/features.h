/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What this CPU can do, by cpuid [SDM2 CPUID].
 */
#ifndef X86_FEATURES_H
#define X86_FEATURES_H

#include <sys/types.h>

/** Filled in once by features_init(), from the boot CPU; constant then. */
struct x86_features {
	char vendor[13];
	bool pse; /**< 4 MiB pages without PAE */
	bool pae;
	bool pge; /**< global pages */
	bool pse36;
	bool pat;
	bool cx8; /**< cmpxchg8b */
	bool msr;
	bool apic; /**< local APIC */
	bool sse2; /**< and with it the fences */
	bool clflush;
	bool mtrr;
	bool cx16;
	bool smep, smap;
	bool pcid;
	bool long_mode;
	bool nx;
	bool page1g;       /**< 1 GiB pages */
	uint_t maxphyaddr; /**< bits of a physical address */
	uint_t maxlinaddr; /**< bits of a linear address */
};

extern struct x86_features x86_features;

#endif
