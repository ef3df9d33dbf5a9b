/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Arenas: sets of integers (in practice kernel addresses) from which ranges are taken and given back.
 *
 * Concepts. An arena holds spans, given at its creation or imported from a source. Each span is cut into segments, free or
 * taken, each described by a boundary tag; all tags of an arena are on one list in the order of their birth places, span
 * after span, a span's own tag first. So the neighbours of a segment in address are its neighbours on the list, and a
 * segment that becomes free merges with free neighbours at once. A span that is free as a whole goes back to its source.
 *
 * Finding. Free segments are on lists by size, list n for sizes of 2^n up to 2^(n+1) quanta. An allocation takes the
 * best fit of the first list that has one. Taken segments are found again by a hash of their address.
 *
 * Tags come from a pool, not from kmem, which lives on top of this. A thread that finds the pool low fills it first: it takes a
 * page of kernel VA, and that may need tags, page tables, and memory for their bookkeeping in turn. It marks itself
 * T_VMPOPULATOR for that time: it may then use the last tags, and the HAT its reserves (spec 8.2).
 *
 * Locks. One mutex an arena, one for the pool; the source is called with neither held. Before the scheduler runs nobody
 * competes for them.
 */
#include <kern/thread_impl.h>
#include <memmap.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/vmem.h>

#define NLISTS (sizeof(uintptr_t) * 8)
#define NHASH  128u

/*
 * Tags in reserve. An allocation takes at most 2 to cut an aligned piece out, 2 for an import, and the same again in
 * the source: 8. The populator's page goes through the HAT, whose own objects may need a slab: 8 more. All CPUs at once: 128.
 */
#define POOL_LOW     128
#define POOL_INITIAL 256

enum { SEG_SPAN, SEG_FREE, SEG_TAKEN };

/** Boundary tag. Fields: the arena's lock. */
typedef struct seg {
	struct seg *sg_prev, *sg_next;   /**< all tags of the arena, a ring */
	struct seg *sg_lprev, *sg_lnext; /**< free list or hash chain; pool */
	uintptr_t sg_start;
	size_t sg_size; /**< of a span: the whole span */
	uint8_t sg_type;
	bool sg_imported; /**< a span that goes back to the source when it is free */
} seg_t;

/** An arena. */
struct vmem {
	char vm_name[20];
	kmutex_t vm_lock;
	size_t vm_quantum;
	int vm_shift;  /**< log2 of it */
	seg_t vm_ring; /**< anchor */
	seg_t *vm_free[NLISTS];
	seg_t *vm_hash[NHASH];
	volatile size_t vm_inuse;
	vmem_t *vm_source;
	void *(*vm_afunc)(vmem_t *, size_t, int);
	void (*vm_ffunc)(vmem_t *, void *, size_t);
};

vmem_t *heap_arena, *kmem_va_arena, *hat_memload_arena;

static vmem_t first_arenas[3];
static uint_t first_used;
static seg_t first_segs[POOL_INITIAL];
static spinlock_t pool_lock;
static seg_t *pool;
static uint_t pool_count;
static kmutex_t populate_lock;

/* ------------------------------------------------------------------ the pool of tags */

static void
pool_put(seg_t *sg)
{
	ulong_t saved = spin_enter(&pool_lock);

	sg->sg_lnext = pool;
	pool = sg;
	pool_count++;
	spin_exit(&pool_lock, saved);
}

static seg_t *
pool_get(void)
{
	ulong_t saved = spin_enter(&pool_lock);
	seg_t *sg = pool;

	if (sg != NULL) {
		pool = sg->sg_lnext;
		pool_count--;
	}
	spin_exit(&pool_lock, saved);
	if (sg == NULL)
		panic("vmem: no boundary tag left");
	memset(sg, 0, sizeof(*sg));
	return (sg);
}

bool
vmem_is_populator(void)
{
	return ((curthread->t_flags & T_VMPOPULATOR) != 0);
}

/* Called before any lock of an arena is taken. Who is refilling already, or is called from within, goes on with what there is. */
static void
pool_populate(void)
{
	kthread_t *me = curthread;
	seg_t *page;

	if (pool_count >= POOL_LOW || vmem_is_populator() || panicstr != NULL)
		return;
	if (!mutex_tryenter(&populate_lock))
		return;
	me->t_flags |= T_VMPOPULATOR;
	page = segkmem_alloc(heap_arena, PAGESIZE, VM_NOSLEEP);
	me->t_flags &= ~T_VMPOPULATOR;
	mutex_exit(&populate_lock);
	for (uint_t i = 0; page != NULL && i < PAGESIZE / sizeof(seg_t); i++)
		pool_put(&page[i]);
}

/* ------------------------------------------------------------------ lists */

static void
ring_insert_after(seg_t *where, seg_t *sg)
{
	sg->sg_prev = where;
	sg->sg_next = where->sg_next;
	where->sg_next->sg_prev = sg;
	where->sg_next = sg;
}

static void
ring_remove(seg_t *sg)
{
	sg->sg_prev->sg_next = sg->sg_next;
	sg->sg_next->sg_prev = sg->sg_prev;
}

static void
list_insert(seg_t **head, seg_t *sg)
{
	sg->sg_lprev = NULL;
	sg->sg_lnext = *head;
	if (*head != NULL)
		(*head)->sg_lprev = sg;
	*head = sg;
}

static void
list_remove(seg_t **head, seg_t *sg)
{
	if (sg->sg_lprev != NULL)
		sg->sg_lprev->sg_lnext = sg->sg_lnext;
	else
		*head = sg->sg_lnext;
	if (sg->sg_lnext != NULL)
		sg->sg_lnext->sg_lprev = sg->sg_lprev;
}

/* The list for a size: position of the highest bit of its number of quanta. */
static uint_t
size_class(const vmem_t *v, size_t size)
{
	return (NLISTS - 1 - (uint_t)__builtin_clzl(size >> v->vm_shift));
}

static seg_t **
hash_bucket(vmem_t *v, uintptr_t start)
{
	uintptr_t n = start >> v->vm_shift;

	return (&v->vm_hash[(n ^ n >> 7) % NHASH]);
}

static void
seg_make_free(vmem_t *v, seg_t *sg)
{
	sg->sg_type = SEG_FREE;
	list_insert(&v->vm_free[size_class(v, sg->sg_size)], sg);
}

static void
seg_unfree(vmem_t *v, seg_t *sg)
{
	list_remove(&v->vm_free[size_class(v, sg->sg_size)], sg);
}

/* ------------------------------------------------------------------ allocation; the arena's lock is held */

static seg_t *
span_add(vmem_t *v, uintptr_t start, size_t size, bool imported)
{
	seg_t *span = pool_get(), *sg = pool_get();

	span->sg_type = SEG_SPAN;
	span->sg_imported = imported;
	sg->sg_start = span->sg_start = start;
	sg->sg_size = span->sg_size = size;
	ring_insert_after(v->vm_ring.sg_prev, span);
	ring_insert_after(span, sg);
	seg_make_free(v, sg);
	return (sg);
}

static bool
fits(const seg_t *sg, size_t size, size_t align)
{
	uintptr_t start = ROUNDUP(sg->sg_start, align);

	return (start >= sg->sg_start && start - sg->sg_start < sg->sg_size && sg->sg_size - (start - sg->sg_start) >= size);
}

static seg_t *
best_fit(vmem_t *v, size_t size, size_t align)
{
	for (uint_t n = size_class(v, size); n < NLISTS; n++) {
		seg_t *best = NULL;

		for (seg_t *sg = v->vm_free[n]; sg != NULL; sg = sg->sg_lnext) {
			if (fits(sg, size, align) && (best == NULL || sg->sg_size < best->sg_size))
				best = sg;
		}
		if (best != NULL)
			return (best);
	}
	return (NULL);
}

/* Cut [start, start + size) out of a free segment; what is left on either side stays free. */
static void
seg_take(vmem_t *v, seg_t *sg, uintptr_t start, size_t size)
{
	size_t before = start - sg->sg_start, after = sg->sg_size - before - size;
	seg_t *rest;

	seg_unfree(v, sg);
	if (before > 0) {
		rest = pool_get();
		rest->sg_start = sg->sg_start;
		rest->sg_size = before;
		ring_insert_after(sg->sg_prev, rest);
		seg_make_free(v, rest);
	}
	if (after > 0) {
		rest = pool_get();
		rest->sg_start = start + size;
		rest->sg_size = after;
		ring_insert_after(sg, rest);
		seg_make_free(v, rest);
	}
	sg->sg_start = start;
	sg->sg_size = size;
	sg->sg_type = SEG_TAKEN;
	list_insert(hash_bucket(v, start), sg);
	v->vm_inuse += size;
}

static bool
contains(vmem_t *v, uintptr_t addr)
{
	for (seg_t *sg = v->vm_ring.sg_next; sg != &v->vm_ring; sg = sg->sg_next) {
		if (sg->sg_type == SEG_SPAN && addr - sg->sg_start < sg->sg_size)
			return (true);
	}
	return (false);
}

/*
 * Ask the source for enough that an aligned piece must be inside. Before the HAT runs, the import function gives boot memory,
 * which is not the source's: such a span is never returned.
 */
static bool
import(vmem_t *v, size_t size, size_t align, int vmflag)
{
	uintptr_t start;
	bool ours;

	if (v->vm_afunc == NULL)
		return (false);
	if (align > v->vm_quantum)
		size += align - v->vm_quantum;
	start = (uintptr_t)v->vm_afunc(v->vm_source, size, vmflag);
	if (start == 0)
		return (false);
	if (v->vm_source != NULL) {
		mutex_enter(&v->vm_source->vm_lock);
		ours = contains(v->vm_source, start);
		mutex_exit(&v->vm_source->vm_lock);
	} else {
		ours = false;
	}
	mutex_enter(&v->vm_lock);
	(void)span_add(v, start, size, ours && v->vm_ffunc != NULL);
	mutex_exit(&v->vm_lock);
	return (true);
}

static uintptr_t
try_alloc(vmem_t *v, size_t size, size_t align)
{
	uintptr_t start = 0;
	seg_t *sg;

	mutex_enter(&v->vm_lock);
	sg = best_fit(v, size, align);
	if (sg != NULL) {
		start = ROUNDUP(sg->sg_start, align);
		seg_take(v, sg, start, size);
	}
	mutex_exit(&v->vm_lock);
	return (start);
}

/* Nothing to be had: ask for memory back and let time pass. */
static void
wait_for_space(const vmem_t *v)
{
	if (!sched_may_block())
		panic("vmem: arena %s is exhausted and thread %s may not sleep", v->vm_name, curthread->t_name);
	kmem_reap();
	thread_delay(1);
}

void *
vmem_xalloc(vmem_t *v, size_t size, size_t align, int vmflag)
{
	uintptr_t start;

	ASSERT(size > 0 && (align & (align - 1)) == 0);
	size = ROUNDUP(size, v->vm_quantum);
	align = MAX(align, v->vm_quantum);
	for (;;) {
		pool_populate();
		start = try_alloc(v, size, align);
		if (start != 0)
			return ((void *)start);
		if (import(v, size, align, vmflag))
			continue;
		if (vmflag & VM_NOSLEEP)
			return (NULL);
		wait_for_space(v);
	}
}

void *
vmem_alloc(vmem_t *v, size_t size, int vmflag)
{
	return (vmem_xalloc(v, size, v->vm_quantum, vmflag));
}

/* ------------------------------------------------------------------ giving back */

static seg_t *
taken_find(vmem_t *v, uintptr_t start, size_t size)
{
	seg_t *sg = *hash_bucket(v, start);

	while (sg != NULL && sg->sg_start != start)
		sg = sg->sg_lnext;
	if (sg == NULL)
		panic("vmem_free: 0x%lx is not allocated in arena %s", (ulong_t)start, v->vm_name);
	if (sg->sg_size != size)
		panic("vmem_free: 0x%lx in arena %s has 0x%lx bytes, not 0x%lx", (ulong_t)start, v->vm_name, (ulong_t)sg->sg_size,
		    (ulong_t)size);
	return (sg);
}

/* `low` swallows its neighbour. */
static void
merge(vmem_t *v, seg_t *low, seg_t *high)
{
	seg_unfree(v, high);
	ring_remove(high);
	low->sg_size += high->sg_size;
	pool_put(high);
}

static seg_t *
coalesce(vmem_t *v, seg_t *sg)
{
	seg_t *prev = sg->sg_prev;

	if (sg->sg_next->sg_type == SEG_FREE)
		merge(v, sg, sg->sg_next);
	if (prev->sg_type == SEG_FREE) {
		seg_unfree(v, prev);
		prev->sg_size += sg->sg_size;
		ring_remove(sg);
		pool_put(sg);
		sg = prev;
	}
	seg_make_free(v, sg);
	return (sg);
}

/* Is this free segment all of an imported span? Then the span leaves the arena. */
static bool
span_detach(vmem_t *v, seg_t *sg)
{
	seg_t *span = sg->sg_prev;

	if (span->sg_type != SEG_SPAN || !span->sg_imported || span->sg_size != sg->sg_size)
		return (false);
	seg_unfree(v, sg);
	ring_remove(sg);
	ring_remove(span);
	pool_put(sg);
	pool_put(span);
	return (true);
}

void
vmem_free(vmem_t *v, void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr, span_start = 0;
	size_t span_size = 0;
	seg_t *sg;

	size = ROUNDUP(size, v->vm_quantum);
	mutex_enter(&v->vm_lock);
	sg = taken_find(v, start, size);
	list_remove(hash_bucket(v, start), sg);
	v->vm_inuse -= size;
	sg = coalesce(v, sg);
	start = sg->sg_start, size = sg->sg_size;
	if (span_detach(v, sg))
		span_start = start, span_size = size;
	mutex_exit(&v->vm_lock);
	if (span_size != 0)
		v->vm_ffunc(v->vm_source, (void *)span_start, span_size);
}

size_t
vmem_inuse(const vmem_t *v)
{
	return (v->vm_inuse);
}

/* ------------------------------------------------------------------ arenas */

static void
arena_fill(vmem_t *v, const char *name, uintptr_t base, size_t size, size_t quantum)
{
	strlcpy(v->vm_name, name, sizeof(v->vm_name));
	v->vm_quantum = quantum;
	v->vm_shift = __builtin_ctzl(quantum);
	v->vm_ring.sg_prev = v->vm_ring.sg_next = &v->vm_ring;
	v->vm_ring.sg_type = SEG_SPAN; /* merging stops here too */
	if (size > 0)
		(void)span_add(v, base, size, false);
}

vmem_t *
vmem_create(const char *name, uintptr_t base, size_t size, size_t quantum, void *(*afunc)(vmem_t *, size_t, int),
    void (*ffunc)(vmem_t *, void *, size_t), vmem_t *source, int vmflag)
{
	vmem_t *v;

	if (first_used < NELEM(first_arenas))
		v = &first_arenas[first_used++];
	else
		v = kmem_zalloc(sizeof(*v), vmflag & VM_NOSLEEP ? KM_NOSLEEP : KM_SLEEP);
	if (v == NULL)
		return (NULL);
	arena_fill(v, name, base, size, quantum);
	v->vm_afunc = afunc;
	v->vm_ffunc = ffunc;
	v->vm_source = source;
	return (v);
}

void
vmem_destroy(vmem_t *v)
{
	seg_t *sg;

	if (v->vm_inuse != 0)
		panic("vmem_destroy: arena %s still has 0x%lx bytes in use", v->vm_name, (ulong_t)v->vm_inuse);
	while ((sg = v->vm_ring.sg_next) != &v->vm_ring) {
		ring_remove(sg);
		pool_put(sg);
	}
	kmem_free(v, sizeof(*v));
}

void
vmem_init(void)
{
	for (uint_t i = 0; i < NELEM(first_segs); i++)
		pool_put(&first_segs[i]);
	heap_arena = vmem_create("heap", HEAP_BASE, HEAP_END - HEAP_BASE, PAGESIZE, NULL, NULL, NULL, VM_SLEEP);
	kmem_va_arena = vmem_create("kmem_va", 0, 0, PAGESIZE, segkmem_alloc, segkmem_free, heap_arena, VM_SLEEP);
	hat_memload_arena = vmem_create("hat_memload", 0, 0, PAGESIZE, segkmem_alloc, segkmem_free, heap_arena, VM_SLEEP);
}
