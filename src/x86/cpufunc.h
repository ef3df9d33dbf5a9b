/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Single instructions that C has no word for. The same text serves both widths: a register is as wide as a pointer.
 *
 * All of them are compiler barriers where order matters (a "memory" clobber); none takes a lock or can fail.
 */
#ifndef X86_CPUFUNC_H
#define X86_CPUFUNC_H

#include <sys/types.h>
#include <x86/regs.h>

/** Drop this CPU's translations of one page, global ones too [SDM3 4.10.4.1]. */
static inline void
invlpg(uintptr_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline uintptr_t
read_cr0(void)
{
	uintptr_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v) : : "memory");
	return (v);
}

static inline void
write_cr0(uintptr_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uintptr_t
read_cr2(void)
{
	uintptr_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v) : : "memory");
	return (v);
}

static inline void
write_cr2(uintptr_t v)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(v) : "memory");
}

static inline uintptr_t
read_cr3(void)
{
	uintptr_t v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v) : : "memory");
	return (v);
}

/** Switch tables: drops every translation but the global ones. Whoever calls this also calls md_cr3_changed(). */
static inline void
write_cr3(uintptr_t v)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline uintptr_t
read_cr4(void)
{
	uintptr_t v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v) : : "memory");
	return (v);
}

static inline void
write_cr4(uintptr_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

/** Reading an MSR that does not exist is a general protection fault: ask cpuid first. */
static inline uint64_t
rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return ((uint64_t)hi << 32 | lo);
}

static inline void
wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/** What cpuid answers for one leaf. */
struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs
cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return (r);
}

static inline uint64_t
rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return ((uint64_t)hi << 32 | lo);
}

static inline uint8_t
inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return (v);
}

static inline uint16_t
inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return (v);
}

static inline uint32_t
inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return (v);
}

static inline void
outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void
outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void
outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

/** Write n bytes to one port; Bochs counts one instruction per byte. */
static inline void
outsb(uint16_t port, const void *buf, size_t n)
{
	__asm__ volatile("cld; rep outsb" : "+S"(buf), "+c"(n) : "d"(port) : "memory");
}

/** For every spinning loop; the other hyperthread and the bus are thankful. */
static inline void
pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void
cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void
sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/** Sleep until an interrupt, with interrupts as they are. */
static inline void
hlt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/** Enable interrupts and sleep with no gap between: sti takes effect after the next instruction [SDM2 STI]. */
static inline void
sti_hlt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

static inline ulong_t
read_eflags(void)
{
	ulong_t v;

	__asm__ volatile("pushf; pop %0" : "=r"(v) : : "memory");
	return (v);
}

/** Interrupts off; the state to give back to intr_restore(). */
static inline ulong_t
intr_save(void)
{
	ulong_t v = read_eflags();

	cli();
	return (v);
}

static inline void
intr_restore(ulong_t saved)
{
	if (saved & EFLAGS_IF)
		sti();
}

static inline bool
intr_enabled(void)
{
	return ((read_eflags() & EFLAGS_IF) != 0);
}

/** The instruction at which Bochs' debugger stops (magic_break); otherwise it does nothing. */
static inline void
magic_break(void)
{
	__asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

static inline void
clflush(const void *p)
{
	__asm__ volatile("clflush (%0)" : : "r"(p) : "memory");
}

/** Write back and empty the caches: when a memory type changes [SDM3 11.12.4]. */
static inline void
wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/* The fences need SSE2; ask x86_features first on i386. */
static inline void
lfence(void)
{
	__asm__ volatile("lfence" : : : "memory");
}
static inline void
mfence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}
static inline void
sfence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

#endif
