/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief cpuid, read once.
 */
#include <sys/startup.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <x86/features.h>

#define BIT(word, n) (((word) >> (n)&1) != 0)

struct x86_features x86_features;

static void
basic_leaves(struct x86_features *f)
{
	struct cpuid_regs r = cpuid(0, 0), r1 = cpuid(1, 0);

	memcpy(f->vendor, &r.ebx, 4);
	memcpy(f->vendor + 4, &r.edx, 4);
	memcpy(f->vendor + 8, &r.ecx, 4);
	f->pse = BIT(r1.edx, 3);
	f->msr = BIT(r1.edx, 5);
	f->pae = BIT(r1.edx, 6);
	f->cx8 = BIT(r1.edx, 8);
	f->apic = BIT(r1.edx, 9);
	f->mtrr = BIT(r1.edx, 12);
	f->pge = BIT(r1.edx, 13);
	f->pat = BIT(r1.edx, 16);
	f->pse36 = BIT(r1.edx, 17);
	f->clflush = BIT(r1.edx, 19);
	f->sse2 = BIT(r1.edx, 26);
	f->cx16 = BIT(r1.ecx, 13);
	f->pcid = BIT(r1.ecx, 17);
	if (r.eax < 7)
		return;
	r = cpuid(7, 0);
	f->smep = BIT(r.ebx, 7);
	f->smap = BIT(r.ebx, 20);
}

/* Without the leaf that says how wide addresses are, PAE means 36 bits [SDM3 4.1.4]. */
static void
extended_leaves(struct x86_features *f)
{
	uint32_t max = cpuid(0x80000000, 0).eax;
	struct cpuid_regs r;

	f->maxphyaddr = f->pae ? 36 : 32;
	f->maxlinaddr = 32;
	if (max < 0x80000001)
		return;
	r = cpuid(0x80000001, 0);
	f->nx = BIT(r.edx, 20);
	f->page1g = BIT(r.edx, 26);
	f->long_mode = BIT(r.edx, 29);
	if (max < 0x80000008)
		return;
	r = cpuid(0x80000008, 0);
	f->maxphyaddr = r.eax & 0xff;
	f->maxlinaddr = r.eax >> 8 & 0xff;
}

void
features_init(void)
{
	basic_leaves(&x86_features);
	extended_leaves(&x86_features);
}
