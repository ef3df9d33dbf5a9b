/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Boot loaders' information: whatever it says, reading ends, and what was kept is what the rest of boot relies on.
 *
 * The input is physical memory from address 0 on; zeroes follow. Its first byte says which version of Multiboot it is.
 */
#define bootinfo         fuzzed_bootinfo /* the host has one of its own, and reads no loader's */
#define boot_read_phys   fuzzed_read_phys
#define kbm_remap_window fuzzed_window
#include <boot/mbinfo.c>

#include <host/fuzz/fuzz.h>
#include <host/host.h>

#define INFO 16u /* where the information begins */

static const unsigned char *memory;
static unsigned long memory_size;

static unsigned char window[PAGESIZE];
static paddr_t shown = 1; /* the page in it; 1: none of this input's */

void *
fuzzed_window(paddr_t pa, bool writable)
{
	(void)writable;
	if (shown != (pa & ~(paddr_t)PAGEOFFSET)) {
		shown = pa & ~(paddr_t)PAGEOFFSET;
		memset(window, 0, sizeof(window));
		if (shown < memory_size)
			memcpy(window, memory + shown, MIN(memory_size - shown, sizeof(window)));
	}
	return (&window[pa & PAGEOFFSET]);
}

/** What sys/bootinfo.h promises. */
static void
judge(void)
{
	expect(bootinfo.bi_nram > 0 && bootinfo.bi_nram <= BOOT_MAXRANGES, "%d ranges", bootinfo.bi_nram);
	for (int i = 0; i < bootinfo.bi_nram; i++) {
		const boot_range_t *r = &bootinfo.bi_ram[i];

		expect(r->br_start < r->br_end && ((r->br_start | r->br_end) & PAGEOFFSET) == 0, "range %d: 0x%llx to 0x%llx", i,
		    (unsigned long long)r->br_start, (unsigned long long)r->br_end);
		expect(r->br_end - 1 <= pfn_to_pa(mmu.highest_pfn) + PAGEOFFSET, "range %d ends at 0x%llx", i,
		    (unsigned long long)r->br_end);
		expect(i == 0 || r[-1].br_end <= r->br_start, "range %d begins before %d ends: at 0x%llx", i, i - 1,
		    (unsigned long long)r->br_start);
	}
	for (int i = 0; i < bootinfo.bi_nmodules; i++) {
		const boot_module_t *m = &bootinfo.bi_module[i];

		expect(m->bm_start <= m->bm_end, "module %d: 0x%llx to 0x%llx", i, (unsigned long long)m->bm_start,
		    (unsigned long long)m->bm_end);
		expect(strlen(m->bm_name) < sizeof(m->bm_name), "module %d has a name without an end", i);
	}
}

static void
try_one(const unsigned char *data, unsigned long size)
{
	memory = data;
	memory_size = size;
	shown = 1;
	memset(&bootinfo, 0, sizeof(bootinfo));
	bootinfo_read(size > 0 && (data[0] & 1) ? MB2_MAGIC : MB1_MAGIC, INFO);
	judge();
}

static void
once(void)
{
	mmu.highest_pfn = pa_to_pfn((paddr_t)1 << 36) - 1;
}

static const char *const refusals[] = { "more than 32 boot modules", "boot loader's information is damaged",
	"the boot loader gave no memory map", NULL };
const struct fuzz_target fuzz_boot = { "boot", once, try_one, refusals };
