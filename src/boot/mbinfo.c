/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Read what the boot loader left (Multiboot 1 or 2) into `bootinfo`, before its memory is used for anything else.
 */
#include <boot/boot.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <hat/x86pte.h>

#define MB1_MAGIC 0x2badb002u
#define MB2_MAGIC 0x36d76289u

#define MB1_CMDLINE 0x04u /* flags: which members are valid */
#define MB1_MODS    0x08u
#define MB1_MMAP    0x40u

#define MB2_TAG_END     0
#define MB2_TAG_CMDLINE 1
#define MB2_TAG_MODULE  3
#define MB2_TAG_MMAP    6
#define MB2_TAG_RSDP1   14
#define MB2_TAG_RSDP2   15

#define RANGE_RAM 1

/** Multiboot 1's information, as far as we read it. */
struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4], mmap_length, mmap_addr;
};
struct mb1_mod {
	uint32_t start, end, string, reserved;
};
/** One range of memory: the same 20 bytes in both versions, Multiboot 1 puts their count in front. */
struct mb_range {
	uint64_t base, length;
	uint32_t type;
} PACKED;
struct mb2_tag {
	uint32_t type, size;
};

bootinfo_t bootinfo;

void
boot_read_phys(paddr_t pa, void *buf, size_t len)
{
	char *to = buf;

	while (len > 0) {
		size_t n = MIN(len, PAGESIZE - (size_t)(pa & PAGEOFFSET));

		memcpy(to, kbm_remap_window(pa, false), n);
		pa += n;
		to += n;
		len -= n;
	}
}

static void
read_string(paddr_t pa, char *buf, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		boot_read_phys(pa + n, &buf[n], 1);
		if (buf[n] == '\0')
			return;
		n++;
	}
	buf[n] = '\0';
}

/** Keep a range of RAM, page aligned inwards, in ascending order. What entries cannot name is left out. */
static void
add_range(const struct mb_range *r)
{
	paddr_t start = ROUNDUP(r->base, (paddr_t)PAGESIZE);
	paddr_t end = MIN(ROUNDDOWN(r->base + r->length, (paddr_t)PAGESIZE), pfn_to_pa(mmu.highest_pfn) + PAGESIZE);
	int i = bootinfo.bi_nram;

	if (r->type != RANGE_RAM || end <= start || bootinfo.bi_nram == BOOT_MAXRANGES)
		return;
	for (; i > 0 && bootinfo.bi_ram[i - 1].br_start > start; i--)
		bootinfo.bi_ram[i] = bootinfo.bi_ram[i - 1];
	bootinfo.bi_ram[i] = (boot_range_t){ start, end };
	bootinfo.bi_nram++;
}

static void
add_module(paddr_t start, paddr_t end, paddr_t name)
{
	boot_module_t *m = &bootinfo.bi_module[bootinfo.bi_nmodules];
	char *blank;

	if (bootinfo.bi_nmodules == BOOT_MAXMODULES)
		panic("more than %d boot modules", BOOT_MAXMODULES);
	m->bm_start = start;
	m->bm_end = end;
	read_string(name, m->bm_name, sizeof(m->bm_name));
	blank = strchr(m->bm_name, ' ');
	if (blank != NULL)
		*blank = '\0';
	bootinfo.bi_nmodules++;
}

static void
read_mb1(paddr_t pa)
{
	struct mb1_info info;

	boot_read_phys(pa, &info, sizeof(info));
	if (info.flags & MB1_CMDLINE)
		read_string(info.cmdline, bootinfo.bi_cmdline, sizeof(bootinfo.bi_cmdline));
	for (uint32_t i = 0; (info.flags & MB1_MODS) && i < info.mods_count; i++) {
		struct mb1_mod mod;

		boot_read_phys(info.mods_addr + i * sizeof(mod), &mod, sizeof(mod));
		add_module(mod.start, mod.end, mod.string);
	}
	for (uint32_t at = 0; (info.flags & MB1_MMAP) && at < info.mmap_length;) {
		uint32_t size;
		struct mb_range range;

		boot_read_phys(info.mmap_addr + at, &size, sizeof(size));
		boot_read_phys(info.mmap_addr + at + sizeof(size), &range, sizeof(range));
		add_range(&range);
		at += size + sizeof(size);
	}
}

static void
read_mb2_mmap(paddr_t tag, uint32_t size)
{
	uint32_t entry_size;

	boot_read_phys(tag + 8, &entry_size, sizeof(entry_size));
	for (uint32_t at = 16; entry_size != 0 && at + sizeof(struct mb_range) <= size; at += entry_size) {
		struct mb_range range;

		boot_read_phys(tag + at, &range, sizeof(range));
		add_range(&range);
	}
}

static void
read_mb2_module(paddr_t tag)
{
	uint32_t bounds[2];

	boot_read_phys(tag + 8, bounds, sizeof(bounds));
	add_module(bounds[0], bounds[1], tag + 16);
}

static void
read_mb2(paddr_t pa)
{
	struct mb2_tag tag;

	for (pa += 8;; pa = ROUNDUP(pa + tag.size, (paddr_t)8)) {
		boot_read_phys(pa, &tag, sizeof(tag));
		switch (tag.type) {
		case MB2_TAG_END:
			return;
		case MB2_TAG_CMDLINE:
			read_string(pa + 8, bootinfo.bi_cmdline, sizeof(bootinfo.bi_cmdline));
			break;
		case MB2_TAG_MODULE:
			read_mb2_module(pa);
			break;
		case MB2_TAG_MMAP:
			read_mb2_mmap(pa, tag.size);
			break;
		case MB2_TAG_RSDP1: /* a copy of the root pointer itself stands in the tag */
		case MB2_TAG_RSDP2:
			bootinfo.bi_rsdp = pa + 8;
			break;
		}
		if (tag.size < sizeof(tag))
			panic("boot loader's information is damaged at 0x%llx", (unsigned long long)pa);
	}
}

void
bootinfo_read(uint32_t magic, paddr_t info)
{
	if (magic == MB2_MAGIC)
		read_mb2(info);
	else if (magic == MB1_MAGIC)
		read_mb1(info);
	else
		panic("not started by a Multiboot loader (magic number 0x%x)", magic);
	bootinfo.bi_version = magic == MB2_MAGIC ? 2 : 1;
	if (bootinfo.bi_nram == 0)
		panic("the boot loader gave no memory map");
}
