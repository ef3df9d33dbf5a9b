/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The page attribute table: which memory type the three bits PAT, PCD, PWT of a leaf select [SDM3 11.12].
 */
#include <sys/startup.h>
#include <x86/cpufunc.h>
#include <x86/features.h>

#define UC 0ull /* uncached */
#define WC 1ull /* write-combining */
#define WT 4ull /* write-through */
#define WP 5ull /* write-protected */
#define WB 6ull /* write-back */

/* Index is PAT * 4 + PCD * 2 + PWT; the first two and the fourth are what the CPU had after reset. */
#define PAT_VALUE (WB | WT << 8 | UC << 16 | UC << 24 | UC << 32 | WP << 40 | WC << 48 | UC << 56)

/* No mapping with a changed index is in use yet, so caches and TLB hold nothing of the wrong type; empty them all the same. */
void
pat_init(void)
{
	if (!x86_features.pat)
		return;
	wbinvd();
	wrmsr(MSR_PAT, PAT_VALUE);
	write_cr3(read_cr3());
}
