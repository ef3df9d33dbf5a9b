/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The pretend CPU's instructions, under the names of src/x86/cpufunc.h. What they do is in mmu.c and cpu.c.
 */
#ifndef X86_CPUFUNC_H
#define X86_CPUFUNC_H

#include <sys/types.h>
#include <x86/regs.h>

/** What cpuid answers for one leaf. */
struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

void invlpg(uintptr_t va);
uintptr_t read_cr3(void);
void write_cr3(uintptr_t v);
uintptr_t read_cr4(void);
void write_cr4(uintptr_t v);
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t v);
struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf);

void pause(void);
/** There are no interrupts. */
static inline ulong_t
intr_save(void)
{
	return (0);
}
static inline void
intr_restore(ulong_t saved)
{
	(void)saved;
}
/** A run depends on its seed alone. */
static inline uint64_t
rdtsc(void)
{
	return (20260401);
}

#endif
