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
#define MAX_BYTES 0x10000u /* of a memory map, or of Multiboot 2's information: more is damage */

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

static void NORETURN
damaged(paddr_t pa)
{
	panic("boot loader's information is damaged at 0x%llx", (unsigned long long)pa);
}

/**
 * Keep a range of RAM, page aligned inwards, in ascending order. What entries cannot name is left out, and so is what another range
 * has already: a page must not be handed out twice.
 */
static void
add_range(const struct mb_range *r)
{
	paddr_t top = pfn_to_pa(mmu.highest_pfn) + PAGESIZE, start, end;
	boot_range_t *ram = bootinfo.bi_ram;
	int i = bootinfo.bi_nram;

	if (r->type != RANGE_RAM || r->base >= top || i == BOOT_MAXRANGES)
		return;
	start = ROUNDUP(r->base, (paddr_t)PAGESIZE);
	end = ROUNDDOWN(r->length < top - r->base ? r->base + r->length : top, (paddr_t)PAGESIZE);
	while (i > 0 && ram[i - 1].br_start > start)
		i--;
	if (i > 0)
		start = MAX(start, ram[i - 1].br_end);
	if (i < bootinfo.bi_nram)
		end = MIN(end, ram[i].br_start);
	if (end <= start)
		return;
	for (int k = bootinfo.bi_nram++; k > i; k--)
		ram[k] = ram[k - 1];
	ram[i] = (boot_range_t){ start, end };
}

static void
add_module(paddr_t start, paddr_t end, paddr_t name)
{
	boot_module_t *m = &bootinfo.bi_module[bootinfo.bi_nmodules];
	char *blank;

	if (bootinfo.bi_nmodules == BOOT_MAXMODULES)
		panic("more than %d boot modules", BOOT_MAXMODULES);
	if (end < start)
		damaged(start);
	m->bm_start = start;
	m->bm_end = end;
	read_string(name, m->bm_name, sizeof(m->bm_name));
	blank = strchr(m->bm_name, ' ');
	if (blank != NULL)
		*blank = '\0';
	bootinfo.bi_nmodules++;
}

/** Each range stands behind its size, which does not count itself. */
static void
read_mb1_mmap(paddr_t pa, uint32_t length)
{
	if (length > MAX_BYTES)
		damaged(pa);
	for (uint64_t at = 0; at < length;) {
		uint32_t size;
		struct mb_range range;

		boot_read_phys(pa + at, &size, sizeof(size));
		if (size < sizeof(range) || size > length)
			damaged(pa + at);
		boot_read_phys(pa + at + sizeof(size), &range, sizeof(range));
		add_range(&range);
		at += size + sizeof(size);
	}
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
	if (info.flags & MB1_MMAP)
		read_mb1_mmap(info.mmap_addr, info.mmap_length);
}

static void
read_mb2_mmap(paddr_t tag, uint32_t size)
{
	uint32_t entry_size;

	boot_read_phys(tag + 8, &entry_size, sizeof(entry_size));
	if (entry_size < sizeof(struct mb_range) || entry_size > MAX_BYTES)
		damaged(tag);
	for (uint32_t at = 16; at + sizeof(struct mb_range) <= size; at += entry_size) {
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
read_mb2_tag(paddr_t pa, const struct mb2_tag *tag)
{
	switch (tag->type) {
	case MB2_TAG_CMDLINE:
		read_string(pa + 8, bootinfo.bi_cmdline, sizeof(bootinfo.bi_cmdline));
		break;
	case MB2_TAG_MODULE:
		read_mb2_module(pa);
		break;
	case MB2_TAG_MMAP:
		read_mb2_mmap(pa, tag->size);
		break;
	case MB2_TAG_RSDP1: /* a copy of the root pointer itself stands in the tag */
	case MB2_TAG_RSDP2:
		bootinfo.bi_rsdp = pa + 8;
		break;
	}
}

static void
read_mb2(paddr_t pa)
{
	paddr_t end;
	uint32_t total;
	struct mb2_tag tag;

	boot_read_phys(pa, &total, sizeof(total));
	end = pa + MIN(total, MAX_BYTES);
	for (pa += 8;; pa = ROUNDUP(pa + tag.size, (paddr_t)8)) {
		boot_read_phys(pa, &tag, sizeof(tag));
		if (tag.type == MB2_TAG_END)
			return;
		if (tag.size < sizeof(tag) || pa + tag.size > end)
			damaged(pa);
		read_mb2_tag(pa, &tag);
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
