/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Rules about ranges, and the parts of the HAT's interface that have no work here.
 */
#include <hat/htable_impl.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <vm/page.h>

#define KERNELBASE_ALIGN 0x400000u /* 4 MiB, whatever an entry maps: one value for every 32-bit mode */

void
hat_misuse(const char *file, int line, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assfail(text, file, line);
}

/** Is any address of the range not canonical? It may end where the space does. */
static bool
touches_hole(uintptr_t va, uintptr_t last)
{
	return (va <= mmu.hole_end && last >= mmu.hole_start);
}

bool
hat_range_ok(const hat_t *hat, uintptr_t va, size_t len)
{
	uintptr_t last = va + (len - 1);

	if (len == 0)
		return (false);
	if (((va | len) & PAGEOFFSET) != 0)
		HAT_MISUSE("L9: hat range 0x%lx, 0x%zx bytes, is not page aligned", va, len);
	else if (last < va || touches_hole(va, last))
		HAT_MISUSE("S9: hat range 0x%lx, 0x%zx bytes, reaches into the hole or beyond the end", va, len);
	else if (hat != kas_hat && last >= hat_user_end(hat))
		HAT_MISUSE("S9: user range 0x%lx-0x%lx reaches beyond 0x%lx", va, last, hat_user_end(hat));
	else if (hat == kas_hat && va < kernelbase && last >= kernelbase)
		HAT_MISUSE("S9: kernel range 0x%lx-0x%lx reaches across kernelbase 0x%lx", va, last, kernelbase);
	else
		return (true);
	return (false);
}

uintptr_t
hat_range_end(uintptr_t va, size_t len)
{
	return (va + len == 0 ? HTABLE_WALK_TO_END : va + len);
}

void
hat_check_cut(const char *who, const htable_t *ht, uintptr_t va, uintptr_t start, uintptr_t end)
{
	if (va < start || end - va < LEVEL_OFFSET(ht->ht_level))
		panic("%s: 0x%lx-0x%lx cuts the large page at 0x%lx", who, start, end - 1, va);
}

bool __attribute__((weak)) as_pageable(struct as *as, uintptr_t va)
{
	(void)as, (void)va;
	return (false);
}

int
hat_dup(hat_t *from, hat_t *to, uintptr_t va, size_t len, uint_t flags)
{
	(void)from, (void)to, (void)va, (void)len, (void)flags;
	return (0);
}

void
hat_swapin(hat_t *hat)
{
	(void)hat;
}

void
hat_map(hat_t *hat, uintptr_t va, size_t len, uint_t flags)
{
	(void)hat, (void)va, (void)len, (void)flags;
}

void
hat_reserve(struct as *as, uintptr_t va, size_t len)
{
	(void)as, (void)va, (void)len;
}

int
hat_softlock(hat_t *hat, uintptr_t va, size_t *lenp, page_t **pps, uint_t flags)
{
	(void)hat, (void)va, (void)lenp, (void)pps, (void)flags;
	return (-1);
}

bool
hat_supported(enum hat_feature feature)
{
	switch (feature) {
	case HAT_SHARED_TABLES:
	case HAT_SORTED_DIRTY:
		return (true);
	case HAT_DYNAMIC_ISM_UNMAP:
	case HAT_SHARED_REGIONS:
		return (false);
	}
	panic("hat_supported: unknown feature %d", (int)feature);
}

uintptr_t
hat_kernelbase(uintptr_t va)
{
	if (IN_VA_HOLE(va))
		panic("hat_kernelbase: 0x%lx is in the hole", va);
	return (mmu.max_level > VLP_LEVEL ? va & LEVEL_MASK(mmu.max_level) : ROUNDDOWN(va, (uintptr_t)KERNELBASE_ALIGN));
}

void
hat_enter(hat_t *hat)
{
	mutex_enter(&hat->hat_mutex);
}

void
hat_exit(hat_t *hat)
{
	mutex_exit(&hat->hat_mutex);
}

void
hat_thread_exit(kthread_t *t)
{
	ASSERT(t == curthread);
	(void)t;
	hat_setup(NULL);
}
