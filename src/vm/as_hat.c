/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Address spaces as clients of the HAT: whatever of its interface they use, they use here.
 *
 * Frames are reached as page tables are, through the linear map or this CPU's page window: the HAT's own way of looking at
 * a frame is the only one that both kernels have.
 */
#include <hat/x86pte.h>
#include <sys/string.h>
#include <vm/as.h>
#include <vm/as_hat.h>
#include <vm/page.h>

#define BOUNCE 512u /* bytes on the stack; through windows only one frame can be seen at a time */

void
as_hat_load(struct as *as, uintptr_t va, struct page *pp, uint_t prot)
{
	hat_memload(as->a_hat, va, pp, prot | PROT_USER, HAT_LOAD);
}

void
as_hat_unload(struct as *as, uintptr_t va, size_t len)
{
	hat_unload(as->a_hat, va, len, HAT_UNLOAD);
}

void
as_hat_make_readonly(struct as *as, uintptr_t va, struct page *pp, uint_t prot)
{
	if (hat_getpfnum(as->a_hat, va) == pp->p_pagenum)
		as_hat_load(as, va, pp, prot & ~(uint_t)PROT_WRITE);
}

/*
 * Write permission must not be given to a shared page, and nobody can be shown a page without reading it: then the
 * translations are forgotten, and the faults that follow give what is right, page by page.
 */
void
as_hat_protect(struct as *as, uintptr_t va, size_t len, uint_t prot)
{
	if ((prot & PROT_WRITE) || prot == 0)
		as_hat_unload(as, va, len);
	else
		hat_chgprot(as->a_hat, va, len, prot | PROT_USER);
}

bool
as_hat_in_hole(uintptr_t va, size_t len)
{
	return (va <= mmu.hole_end && va + (len - 1) >= mmu.hole_start);
}

void
frame_read(pfn_t pfn, uint_t off, void *buf, size_t n)
{
	const char *p = x86pte_mapin(pfn, 0, NULL);

	memcpy(buf, p + off, n);
	x86pte_mapout();
}

void
frame_write(pfn_t pfn, uint_t off, const void *buf, size_t n)
{
	char *p = x86pte_mapin(pfn, 0, NULL);

	memcpy(p + off, buf, n);
	x86pte_mapout();
}

void
frame_zero(pfn_t pfn, uint_t off, size_t n)
{
	char *p = x86pte_mapin(pfn, 0, NULL);

	memset(p + off, 0, n);
	x86pte_mapout();
}

void
frame_copy(pfn_t from, pfn_t to)
{
	char bounce[BOUNCE];

	if (kpm_vbase != 0) {
		memcpy(hat_kpm_pfn2va(to), hat_kpm_pfn2va(from), PAGESIZE);
		return;
	}
	for (uint_t off = 0; off < PAGESIZE; off += BOUNCE) {
		frame_read(from, off, bounce, BOUNCE);
		frame_write(to, off, bounce, BOUNCE);
	}
}
