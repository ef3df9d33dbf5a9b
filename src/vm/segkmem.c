/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Pages behind kernel addresses: what object caches and stacks are made of.
 */
#include <hat/hat_impl.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/thread.h>
#include <sys/vmem.h>
#include <vm/page.h>
#include <vm/segkmem.h>
#include <memmap.h>

#define KMEM_PROT (PROT_READ | PROT_WRITE)

static bool
is_boot_memory(const void *addr)
{
	return ((uintptr_t)addr >= KERNEL_OFFSET && (uintptr_t)addr < BOOTMEM_END);
}

static void
unmap_and_free(uintptr_t va, size_t size)
{
	for (size_t off = 0; off < size; off += PAGESIZE) {
		page_t *pp = page_numtopp_nolock(hat_getpfnum(kas_hat, va + off));

		if (pp == NULL)
			panic("segkmem_free: nothing is mapped at 0x%lx", va + off);
		hat_unload(kas_hat, va + off, PAGESIZE, HAT_UNLOAD);
		page_free(pp, 1);
		page_unresv(1);
	}
}

/** Map fresh pages at [va, va + size): all of them, or none. */
static bool
fill(uintptr_t va, size_t size)
{
	for (size_t off = 0; off < size; off += PAGESIZE) {
		bool resv = page_resv(1, true);
		page_t *pp = resv ? page_get(PAGE_KERNEL) : NULL;

		if (pp == NULL) {
			if (resv)
				page_unresv(1);
			unmap_and_free(va, off);
			return (false);
		}
		hat_memload(kas_hat, va + off, pp, KMEM_PROT, HAT_LOAD_LOCK | HAT_LOAD_NOCONSIST);
	}
	return (true);
}

void *
segkmem_alloc(vmem_t *source, size_t size, int vmflag)
{
	void *addr;

	if (!khat_running)
		return (boot_alloc(size));
	addr = vmem_alloc(source, size, vmflag);
	if (addr == NULL)
		return (NULL);
	while (!fill((uintptr_t)addr, size)) {
		if (vmflag & VM_NOSLEEP) {
			vmem_free(source, addr, size);
			return (NULL);
		}
		thread_yield();
	}
	return (addr);
}

void
segkmem_free(vmem_t *source, void *addr, size_t size)
{
	if (is_boot_memory(addr))
		return; /* given for ever */
	unmap_and_free((uintptr_t)addr, size);
	vmem_free(source, addr, size);
}

void *
map_device(paddr_t pa, size_t len)
{
	paddr_t start = ROUNDDOWN(pa, (paddr_t)PAGESIZE);
	size_t size = ROUNDUP((size_t)(pa - start) + len, (size_t)PAGESIZE);
	char *va = vmem_alloc(heap_arena, size, VM_SLEEP);

	hat_devload(kas_hat, (uintptr_t)va, size, pa_to_pfn(start), KMEM_PROT, HAT_LOAD_LOCK | HAT_LOAD_NOCONSIST);
	return (va + (pa - start));
}
