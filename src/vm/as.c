/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Address spaces: what is mapped, what a fault makes of it, and how a space is copied and destroyed.
 *
 * Where the contents of a page are, in this order:
 *
 *     in the map of anonymous pages   it has been written, or could not be shown directly
 *     in the frames of the image      whole pages of a file, read only, shared by all who run the program
 *     nowhere yet                     made on the first touch: from the image, or zero
 *
 * A page goes down this list never, up it once. Changing a translation to another frame is unload, then load: between the two
 * no CPU shows either.
 */
#include <sys/debug.h>
#include <sys/kmem.h>
#include <vm/as.h>
#include <vm/as_hat.h>
#include <vm/page.h>
#include <vm/seg.h>

#define LIMIT_32BIT 0xfffff000ul /* the last page stays empty: the end of a range fits 32 bits */

const char *
as_result_text(as_result_t r)
{
	static const char *const text[] = {
		[AS_OK] = "fine",
		[AS_NOMAP] = "nothing is mapped there",
		[AS_PROT] = "not permitted",
		[AS_NOMEM] = "out of memory",
		[AS_BUSY] = "there is something already",
		[AS_RANGE] = "not user memory",
	};

	return (text[r]);
}

/* ------------------------------------------------------------------ ranges */

uintptr_t
as_limit(const struct as *as)
{
	return (as->a_32bit ? MIN(userlimit, LIMIT_32BIT) : userlimit);
}

bool
as_range_ok(const struct as *as, uintptr_t va, size_t len)
{
	uintptr_t limit = as_limit(as);

	return (len != 0 && va < limit && len <= limit - va && !as_hat_in_hole(va, len));
}

/*
 * A system call in the very last bytes below the hole would return to an address inside it, and that fault is the kernel's,
 * in the middle of its iret. So the page there is never executable.
 */
static bool
may_execute(uintptr_t va, size_t len)
{
	return (va + len >= userlimit || !as_hat_in_hole(va + len, 1));
}

/* What the MMU cannot keep apart is one thing here too: a page that can be written or executed can be read. */
static uint_t
granted(uint_t prot)
{
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	return (prot != 0 ? prot | PROT_READ : 0);
}

static bool
range_bad(const struct as *as, uintptr_t va, size_t len, uint_t prot)
{
	if (((va | len) & PAGEOFFSET) != 0 || !as_range_ok(as, va, len))
		return (true);
	return ((prot & PROT_EXEC) != 0 && !may_execute(va, len));
}

as_result_t
as_map(struct as *as, uintptr_t va, size_t len, uint_t prot, const struct image *im, size_t off, size_t filesz)
{
	struct seg s = { NULL, va, len, granted(prot), im, off, filesz };
	as_result_t r = AS_OK;

	if (range_bad(as, va, len, prot) || (off & PAGEOFFSET) != 0 || filesz > len)
		return (AS_RANGE);
	mutex_enter(&as->a_lock);
	if (seg_first(as, va, va + (len - 1)) != NULL)
		r = AS_BUSY;
	else
		seg_insert(as, &s);
	mutex_exit(&as->a_lock);
	return (r);
}

uintptr_t
as_find_free(struct as *as, uintptr_t from, size_t len)
{
	const struct seg *s;
	uintptr_t va = from;

	mutex_enter(&as->a_lock);
	while (as_range_ok(as, va, len) && (s = seg_first(as, va, va + (len - 1))) != NULL)
		va = seg_last(s) + 1;
	mutex_exit(&as->a_lock);
	return (as_range_ok(as, va, len) ? va : 0);
}

as_result_t
as_unmap(struct as *as, uintptr_t va, size_t len)
{
	uintptr_t last = va + (len - 1);
	struct seg *s;

	if (range_bad(as, va, len, 0))
		return (AS_RANGE);
	mutex_enter(&as->a_lock);
	seg_split(as, va);
	if (last + 1 != 0)
		seg_split(as, last + 1);
	while ((s = seg_first(as, va, last)) != NULL) {
		as_hat_unload(as, s->s_base, s->s_size);
		amap_remove(&as->a_anon, s->s_base, seg_last(s));
		seg_remove(as, s);
	}
	mutex_exit(&as->a_lock);
	return (AS_OK);
}

/* Is there a segment at every address of the range? */
static bool
mapped_throughout(const struct as *as, uintptr_t va, uintptr_t last)
{
	const struct seg *s;

	while ((s = seg_find(as, va)) != NULL) {
		if (seg_last(s) >= last)
			return (true);
		va = seg_last(s) + 1;
	}
	return (false);
}

as_result_t
as_setprot(struct as *as, uintptr_t va, size_t len, uint_t prot)
{
	uintptr_t last = va + (len - 1);
	as_result_t r = AS_NOMAP;

	if (range_bad(as, va, len, prot))
		return (AS_RANGE);
	mutex_enter(&as->a_lock);
	if (mapped_throughout(as, va, last)) {
		seg_split(as, va);
		if (last + 1 != 0)
			seg_split(as, last + 1);
		for (struct seg *s = seg_find(as, va); s != NULL && s->s_base <= last; s = s->s_next)
			s->s_prot = granted(prot);
		as_hat_protect(as, va, len, prot);
		r = AS_OK;
	}
	mutex_exit(&as->a_lock);
	return (r);
}

/* ------------------------------------------------------------------ faults */

/* What may be shown of a page: one that others have too is never writable. */
static uint_t
shown_prot(const struct seg *s, const struct anon *an)
{
	return (an->an_refcnt > 1 ? s->s_prot & ~(uint_t)PROT_WRITE : s->s_prot);
}

/* The first touch of a page of one's own. A read of a whole page of a file has been answered with the file's frame. */
static as_result_t
make_page(struct as *as, const struct seg *s, uintptr_t va)
{
	struct anon *an = anon_alloc();

	if (an == NULL)
		return (AS_NOMEM);
	seg_fill(s, va, an);
	if (seg_direct_pfn(s, va) != PFN_INVALID)
		as_hat_unload(as, va, PAGESIZE);
	amap_insert(&as->a_anon, va, an);
	as_hat_load(as, va, an->an_page, s->s_prot);
	return (AS_OK);
}

/* A write to a page that others have too. They may give it up meanwhile: then this copy was not needed, and does no harm. */
static as_result_t
copy_page(struct as *as, const struct seg *s, struct aslot *slot)
{
	struct anon *old = slot->as_anon, *an = anon_alloc();

	if (an == NULL)
		return (AS_NOMEM);
	frame_copy(old->an_page->p_pagenum, an->an_page->p_pagenum);
	as_hat_unload(as, slot->as_va, PAGESIZE);
	slot->as_anon = an;
	as_hat_load(as, slot->as_va, an->an_page, s->s_prot);
	anon_release(old);
	return (AS_OK);
}

static as_result_t
fault_in(struct as *as, const struct seg *s, uintptr_t va, uint_t access)
{
	struct aslot *slot = amap_find(&as->a_anon, va);
	page_t *direct;

	if (slot != NULL && access == PROT_WRITE && slot->as_anon->an_refcnt > 1)
		return (copy_page(as, s, slot));
	if (slot != NULL) {
		as_hat_load(as, va, slot->as_anon->an_page, shown_prot(s, slot->as_anon));
		return (AS_OK);
	}
	direct = access == PROT_WRITE ? NULL : page_numtopp_nolock(seg_direct_pfn(s, va));
	if (direct == NULL)
		return (make_page(as, s, va));
	as_hat_load(as, va, direct, s->s_prot & ~(uint_t)PROT_WRITE);
	return (AS_OK);
}

as_result_t
as_fault(struct as *as, uintptr_t va, uint_t access)
{
	const struct seg *s;
	as_result_t r;

	mutex_enter(&as->a_lock);
	s = seg_find(as, va);
	if (s == NULL)
		r = AS_NOMAP;
	else if ((s->s_prot & access) == 0)
		r = AS_PROT;
	else
		r = fault_in(as, s, va & PAGEMASK, access);
	as->a_faults += r == AS_OK;
	mutex_exit(&as->a_lock);
	return (r);
}

/* The page may be stolen back at any time, but not while a_lock is held: look at our own map, not at the HAT's. */
as_result_t
as_write(struct as *as, uintptr_t va, const void *buf, size_t n)
{
	const char *from = buf;
	as_result_t r = AS_OK;

	while (n > 0) {
		size_t part = MIN(n, PAGESIZE - (size_t)(va & PAGEOFFSET));
		struct aslot *slot;

		r = as_fault(as, va, PROT_WRITE);
		if (r != AS_OK)
			break;
		mutex_enter(&as->a_lock);
		slot = amap_find(&as->a_anon, va & PAGEMASK);
		if (slot != NULL && slot->as_anon->an_refcnt == 1) {
			frame_write(slot->as_anon->an_page->p_pagenum, va & PAGEOFFSET, from, part);
			va += part;
			from += part;
			n -= part;
		}
		mutex_exit(&as->a_lock);
	}
	return (r);
}

void
as_forget_translations(struct as *as)
{
	mutex_enter(&as->a_lock);
	for (struct seg *s = as->a_segs; s != NULL; s = s->s_next)
		as_hat_unload(as, s->s_base, s->s_size);
	mutex_exit(&as->a_lock);
}

/* ------------------------------------------------------------------ life */

struct as *
as_alloc(bool is32)
{
	struct as *as = kmem_zalloc(sizeof(*as), KM_SLEEP);

	mutex_init(&as->a_lock);
	as->a_32bit = is32 || sizeof(uintptr_t) == 4;
	mutex_enter(&as->a_lock);
	as->a_hat = hat_alloc(as);
	mutex_exit(&as->a_lock);
	return (as);
}

/* Translations first, without any flush since nobody runs the space; then the pages; the tables go with the hat. */
void
as_free(struct as *as)
{
	struct seg *s;

	mutex_enter(&as->a_lock);
	hat_free_start(as->a_hat);
	while ((s = as->a_segs) != NULL) {
		as_hat_unload(as, s->s_base, s->s_size);
		seg_remove(as, s);
	}
	amap_destroy(&as->a_anon);
	hat_free_end(as->a_hat);
	mutex_exit(&as->a_lock);
	mutex_destroy(&as->a_lock);
	kmem_free(as, sizeof(*as));
}

struct dup {
	struct as *parent, *child;
};

/* The count goes up before the parent's permission goes away: a write in between is seen by both, as if before the fork. */
static void
share_page(struct aslot *slot, void *arg)
{
	struct dup *d = arg;
	const struct seg *s = seg_find(d->parent, slot->as_va);

	anon_hold(slot->as_anon);
	amap_insert(&d->child->a_anon, slot->as_va, slot->as_anon);
	if (s->s_prot & PROT_WRITE)
		as_hat_make_readonly(d->parent, slot->as_va, slot->as_anon->an_page, s->s_prot);
}

struct as *
as_dup(struct as *parent)
{
	struct as *child = as_alloc(parent->a_32bit);
	struct dup d = { parent, child };

	mutex_enter(&parent->a_lock);
	mutex_enter(&child->a_lock);
	for (const struct seg *s = parent->a_segs; s != NULL; s = s->s_next)
		seg_insert(child, s);
	amap_walk(&parent->a_anon, share_page, &d);
	mutex_exit(&child->a_lock);
	mutex_exit(&parent->a_lock);
	return (child);
}
