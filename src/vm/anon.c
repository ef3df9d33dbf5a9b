/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Anonymous pages and their maps.
 *
 * A hash rather than a tree or an array: a program may touch one page in each terabyte, and segments may be split without
 * anything here being moved.
 */
#include <sys/atomic.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/thread.h>
#include <vm/anon.h>
#include <vm/page.h>

#define AMAP_START 16u
#define ANON_TRIES 200 /* rounds of waiting for memory before the process is told that there is none */

volatile uint32_t anon_count;

/* A reservation without a page is no use: page_get() fails only when memory is out, or a test wants it to. */
static page_t *
page_take(void)
{
	for (int i = 0; i < ANON_TRIES; i++) {
		page_t *pp;

		if (page_resv(1, true)) {
			pp = page_get(PAGE_USER);
			if (pp != NULL)
				return (pp);
			page_unresv(1);
		}
		kmem_reap();
		thread_yield();
	}
	return (NULL);
}

struct anon *
anon_alloc(void)
{
	page_t *pp = page_take();
	struct anon *an;

	if (pp == NULL)
		return (NULL);
	an = kmem_alloc(sizeof(*an), KM_SLEEP);
	*an = (struct anon){ pp, 1 };
	atomic_inc_32(&anon_count);
	return (an);
}

void
anon_hold(struct anon *an)
{
	atomic_inc_32(&an->an_refcnt);
}

void
anon_release(struct anon *an)
{
	ASSERT(an->an_refcnt > 0);
	if (atomic_add_32(&an->an_refcnt, -1u) > 0)
		return;
	page_free(an->an_page, 1);
	page_unresv(1);
	kmem_free(an, sizeof(*an));
	atomic_dec_32(&anon_count);
}

/* Programs choose the addresses: multiply, and take the high bits, so that no stride falls into one chain [Knuth 6.4]. */
static struct aslot **
bucket(const struct amap *am, uintptr_t va)
{
	uint64_t h = (uint64_t)(va >> PAGESHIFT) * 0x9e3779b97f4a7c15ull;

	return (&am->am_bucket[(h >> 32) & (am->am_size - 1)]);
}

struct aslot *
amap_find(const struct amap *am, uintptr_t va)
{
	struct aslot *s;

	if (am->am_size == 0)
		return (NULL);
	for (s = *bucket(am, va); s != NULL && s->as_va != va; s = s->as_next)
		continue;
	return (s);
}

static void
put_slot(struct amap *am, struct aslot *s)
{
	struct aslot **head = bucket(am, s->as_va);

	s->as_next = *head;
	*head = s;
}

static void
resize(struct amap *am, uint_t size)
{
	struct amap old = *am;

	am->am_bucket = kmem_zalloc(size * sizeof(struct aslot *), KM_SLEEP);
	am->am_size = size;
	for (uint_t i = 0; i < old.am_size; i++)
		for (struct aslot *s = old.am_bucket[i], *next; s != NULL; s = next) {
			next = s->as_next;
			put_slot(am, s);
		}
	if (old.am_size != 0)
		kmem_free(old.am_bucket, old.am_size * sizeof(struct aslot *));
}

void
amap_insert(struct amap *am, uintptr_t va, struct anon *an)
{
	struct aslot *s = kmem_alloc(sizeof(*s), KM_SLEEP);

	ASSERT(amap_find(am, va) == NULL);
	if (am->am_count >= 2 * am->am_size)
		resize(am, am->am_size == 0 ? AMAP_START : 2 * am->am_size);
	*s = (struct aslot){ NULL, va, an };
	put_slot(am, s);
	am->am_count++;
}

/* Take out of a chain, and release, what lies in the range. */
static void
clean_chain(struct amap *am, struct aslot **sp, uintptr_t va, uintptr_t last)
{
	while (*sp != NULL) {
		struct aslot *s = *sp;

		if (s->as_va < va || s->as_va > last) {
			sp = &s->as_next;
			continue;
		}
		*sp = s->as_next;
		anon_release(s->as_anon);
		kmem_free(s, sizeof(*s));
		am->am_count--;
	}
}

/* A short range is looked up page by page, for a long one every chain is gone through. */
void
amap_remove(struct amap *am, uintptr_t va, uintptr_t last)
{
	if ((last - va) >> PAGESHIFT < am->am_size) {
		for (uintptr_t a = va; a - va <= last - va && am->am_count > 0; a += PAGESIZE)
			clean_chain(am, bucket(am, a), a, a);
		return;
	}
	for (uint_t i = 0; i < am->am_size; i++)
		clean_chain(am, &am->am_bucket[i], va, last);
}

void
amap_walk(const struct amap *am, void (*fn)(struct aslot *, void *), void *arg)
{
	for (uint_t i = 0; i < am->am_size; i++)
		for (struct aslot *s = am->am_bucket[i]; s != NULL; s = s->as_next)
			fn(s, arg);
}

void
amap_destroy(struct amap *am)
{
	if (am->am_size == 0)
		return;
	for (uint_t i = 0; i < am->am_size; i++)
		clean_chain(am, &am->am_bucket[i], 0, UINTPTR_MAX);
	ASSERT(am->am_count == 0);
	kmem_free(am->am_bucket, am->am_size * sizeof(struct aslot *));
	*am = (struct amap){ 0 };
}
