/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Segments: the list, and where the contents of a page come from.
 */
#include <sys/debug.h>
#include <sys/kmem.h>
#include <vm/as.h>
#include <vm/as_hat.h>
#include <vm/image.h>
#include <vm/page.h>
#include <vm/seg.h>

struct seg *
seg_find(const struct as *as, uintptr_t va)
{
	return (seg_first(as, va, va));
}

struct seg *
seg_first(const struct as *as, uintptr_t va, uintptr_t last)
{
	struct seg *s = as->a_segs;

	while (s != NULL && seg_last(s) < va)
		s = s->s_next;
	return (s != NULL && s->s_base <= last ? s : NULL);
}

void
seg_insert(struct as *as, const struct seg *new)
{
	struct seg *s = kmem_alloc(sizeof(*s), KM_SLEEP), **p = &as->a_segs;

	*s = *new;
	while (*p != NULL && (*p)->s_base < s->s_base)
		p = &(*p)->s_next;
	ASSERT(*p == NULL || seg_last(s) < (*p)->s_base);
	s->s_next = *p;
	*p = s;
}

void
seg_remove(struct as *as, struct seg *s)
{
	struct seg **p = &as->a_segs;

	while (*p != s)
		p = &(*p)->s_next;
	*p = s->s_next;
	kmem_free(s, sizeof(*s));
}

void
seg_split(struct as *as, uintptr_t at)
{
	struct seg *s = seg_find(as, at), upper;
	size_t below;

	if (s == NULL || s->s_base == at)
		return;
	below = at - s->s_base;
	upper = *s;
	upper.s_base = at;
	upper.s_size -= below;
	upper.s_off += below;
	upper.s_filesz -= MIN(below, upper.s_filesz);
	s->s_size = below;
	s->s_filesz = MIN(below, s->s_filesz);
	seg_insert(as, &upper);
}

pfn_t
seg_direct_pfn(const struct seg *s, uintptr_t va)
{
	size_t delta = va - s->s_base;

	if (s->s_image == NULL || delta >= s->s_filesz || s->s_filesz - delta < PAGESIZE)
		return (PFN_INVALID);
	return (image_pfn(s->s_image, s->s_off + delta));
}

void
seg_fill(const struct seg *s, uintptr_t va, struct anon *an)
{
	size_t delta = va - s->s_base, n = 0;
	pfn_t pfn = an->an_page->p_pagenum;
	char buf[512];

	if (s->s_image != NULL && delta < s->s_filesz)
		n = MIN(s->s_filesz - delta, (size_t)PAGESIZE);
	for (size_t done = 0; done < n; done += sizeof(buf)) {
		size_t part = MIN(n - done, sizeof(buf));

		if (!image_read(s->s_image, s->s_off + delta + done, buf, part))
			panic("seg_fill: %s ends before offset 0x%lx", s->s_image->im_name, (ulong_t)(s->s_off + delta + n));
		frame_write(pfn, (uint_t)done, buf, part);
	}
	if (n < PAGESIZE)
		frame_zero(pfn, (uint_t)n, PAGESIZE - n);
}
