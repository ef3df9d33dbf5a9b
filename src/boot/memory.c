/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Memory before there is an allocator: handed out in ascending order behind the image, never given back.
 *
 * Not an allocator to grow. It is mapped at physical + KERNEL_OFFSET, like the image, with the largest pages that fit.
 */
#include <boot/boot.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <hat/kbm.h>
#include <hat/hat_impl.h>
#include <memmap.h>

static paddr_t next;       /* first free byte */
static bool closed;        /* page_init() has counted what is left */
static paddr_t mapped_end; /* mapped up to here; what the entry code mapped at first */

static bool
in_module(paddr_t start, paddr_t end, paddr_t *after)
{
	for (int i = 0; i < bootinfo.bi_nmodules; i++) {
		const boot_module_t *m = &bootinfo.bi_module[i];

		if (start < m->bm_end && m->bm_start < end) {
			*after = ROUNDUP(m->bm_end, (paddr_t)PAGESIZE);
			return (true);
		}
	}
	return (false);
}

static bool
is_ram(paddr_t start, paddr_t end)
{
	for (int i = 0; i < bootinfo.bi_nram; i++)
		if (start >= bootinfo.bi_ram[i].br_start && end <= bootinfo.bi_ram[i].br_end)
			return (true);
	return (false);
}

void
boot_memory_init(void)
{
	next = (uintptr_t)kernel_end - KERNEL_OFFSET;
	mapped_end = ROUNDUP(next, (paddr_t)LEVEL_SIZE(1)); /* that much the entry code has mapped */
	if (!is_ram((uintptr_t)data_start - KERNEL_OFFSET, next))
		panic("too little memory: the kernel's data at 0x%llx is not in RAM", (unsigned long long)next);
}

void
boot_memory_close(void)
{
	closed = true;
}

bool
boot_owns(paddr_t pa)
{
	paddr_t after;

	if (pa >= (uintptr_t)text_start - KERNEL_OFFSET && pa < (uintptr_t)rodata_end - KERNEL_OFFSET)
		return (true);
	if (pa >= (uintptr_t)data_start - KERNEL_OFFSET && pa < next)
		return (true);
	return (in_module(pa, pa + 1, &after));
}

static paddr_t
take(size_t size)
{
	paddr_t pa = next;

	if (closed)
		panic("boot memory wanted after the page allocator took over");
	while (in_module(pa, pa + size, &pa))
		continue;
	if (!is_ram(pa, pa + size))
		panic("too little memory: boot needs %lu KiB behind 0x%llx", (ulong_t)(size / 1024), (unsigned long long)pa);
	next = pa + size;
	return (pa);
}

/** Mapping may itself need frames for tables, which come from here too: so the end is set first. */
static void
map_up_to(paddr_t end)
{
	while (mapped_end < end) {
		paddr_t pa = mapped_end;
		bool large = mmu.max_page_level > 0 && is_ram(pa, pa + LEVEL_SIZE(1)) && (pa & LEVEL_OFFSET(1)) == 0;

		if (pa + KERNEL_OFFSET >= BOOTMEM_END)
			panic("too much boot memory for the kernel's address space");
		mapped_end += large ? LEVEL_SIZE(1) : PAGESIZE;
		kbm_map((uintptr_t)pa + KERNEL_OFFSET, pa, large ? 1 : 0);
	}
}

void *
boot_alloc(size_t size)
{
	paddr_t pa;

	size = ROUNDUP(size, (size_t)PAGESIZE);
	pa = take(size);
	map_up_to(pa + size);
	return (memset((void *)((uintptr_t)pa + KERNEL_OFFSET), 0, size));
}

pfn_t
boot_alloc_frame(void)
{
	return (pa_to_pfn(take(PAGESIZE)));
}
