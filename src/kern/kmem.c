/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Object caches.
 *
 * A cache hands out objects of one size. They are cut from slabs; a slab is a power of two of bytes and aligned to that,
 * so that an object's address leads to its slab, whose header is at the slab's end:
 *
 *     | object 0 | redzone | object 1 | redzone | ...  unused  | struct slab, links[] |
 *     ^ multiple of the slab's size
 *
 * links[i] says what object i is: taken, or the number of the next free one. So a slab is one piece of VA and nothing else
 * (what KMC_NOHASH asks for: every cache is like that), nothing is written into free objects, and giving one back twice is
 * noticed in every build.
 *
 * DEBUG builds fill free objects with a pattern and look at it before handing them out, and keep a word behind each object
 * that must not change. An object with a constructor is then constructed anew each time; otherwise once in the slab's life.
 *
 * Locks. One mutex a cache, never held while memory is taken from or given to the arena, nor while a callback runs.
 * caches_lock guards the list of caches. Memory short: kmem_reap() wakes a thread that runs the caches' reclaim
 * callbacks and then gives empty slabs back.
 */
#include <kern/thread_impl.h>
#include <sys/atomic.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/mutex.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/tunable.h>

#define SLAB_MAX     32768u
#define SLAB_MAGIC   0x51ab51abu
#define TAKEN        0xffffu /* links[]: handed out */
#define LAST         0xfffeu /* links[]: free, and the last one */
#define FREE_PATTERN 0xdeadbeefu
#define NEW_PATTERN  0xbaddcafeu /* what an object without a constructor is full of */
#define REDZONE      0xfeedfaceu
#define PAGE_DIRECT  2048u /* kmem_alloc() of more than this: pages, no cache */

/** Header of a slab. Fields: the cache's lock, or [C]. */
struct slab {
	struct slab *sl_next, *sl_prev; /**< the cache's list, when an object is free */
	kmem_cache_t *sl_cache;         /**< [C] */
	uint32_t sl_magic;              /**< [C] */
	uint16_t sl_free;               /**< first free object, LAST: none */
	uint16_t sl_ntaken;
	uint16_t sl_links[];
};

/** One cache. Fields: [C] constant, others kc_lock. */
struct kmem_cache {
	kmutex_t kc_lock;
	char kc_name[24];                    /**< [C] */
	size_t kc_size;                      /**< [C] of an object, as asked for */
	size_t kc_chunk;                     /**< [C] distance of objects */
	size_t kc_slabsize;                  /**< [C] */
	uint_t kc_nobj;                      /**< [C] objects in a slab */
	size_t kc_header;                    /**< [C] where the header is in a slab */
	bool kc_redzone, kc_pattern;         /**< [C] */
	int (*kc_ctor)(void *, void *, int); /**< [C] */
	void (*kc_dtor)(void *, void *);     /**< [C] */
	void (*kc_reclaim)(void *);          /**< [C] */
	void *kc_arg;                        /**< [C] */
	vmem_t *kc_arena;                    /**< [C] */
	struct slab *kc_slabs;               /**< those with a free object, fullest in front, more or less */
	uint_t kc_nempty;                    /**< slabs with nothing taken */
	size_t kc_inuse;
	size_t kc_allocs, kc_nslabs; /**< counters */
	struct kmem_cache *kc_next;  /**< caches_lock */
	int kc_holds;                /**< caches_lock: the reaper is here */
};

#ifdef DEBUG
static const bool debug = true;
#else
static const bool debug = false;
#endif

static kmutex_t caches_lock;
static kcondvar_t caches_cv; /* a hold was given back */
static kmem_cache_t *caches;
static kmem_cache_t cache_of_caches;

static const size_t alloc_sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048 };
static kmem_cache_t *alloc_caches[NELEM(alloc_sizes)];

uint64_t kmem_fail_after;
TUNABLE_NUMBER(kmem_fail_after, "kmem_fail_after", "DEBUG: let every n-th request for an object that may fail do so (0: none)");

static bool reap_wanted; /* sched_lock */
static volatile bool reaper_started;
static kthread_t *reap_waiter; /* sched_lock: the reaping thread, when it sleeps */

/* ------------------------------------------------------------------ slabs */

static struct slab *
slab_of(const kmem_cache_t *c, const void *obj)
{
	return ((struct slab *)(ROUNDDOWN((uintptr_t)obj, c->kc_slabsize) + c->kc_header));
}

static char *
slab_base(const kmem_cache_t *c, const struct slab *sl)
{
	return ((char *)(uintptr_t)sl - c->kc_header);
}

static void
slab_list(kmem_cache_t *c, struct slab *sl)
{
	sl->sl_prev = NULL;
	sl->sl_next = c->kc_slabs;
	if (sl->sl_next != NULL)
		sl->sl_next->sl_prev = sl;
	c->kc_slabs = sl;
}

static void
slab_unlist(kmem_cache_t *c, struct slab *sl)
{
	if (sl->sl_prev != NULL)
		sl->sl_prev->sl_next = sl->sl_next;
	else
		c->kc_slabs = sl->sl_next;
	if (sl->sl_next != NULL)
		sl->sl_next->sl_prev = sl->sl_prev;
}

static void
fill(void *p, uint32_t pattern, size_t n)
{
	uint32_t *w = p;

	for (size_t i = 0; i < n / sizeof(*w); i++)
		w[i] = pattern;
}

static uint32_t *
redzone_of(const kmem_cache_t *c, void *obj)
{
	return ((uint32_t *)((char *)obj + c->kc_chunk) - 1);
}

/* A constructor must not fail: none of ours allocates. */
static void
construct(kmem_cache_t *c, void *obj)
{
	if (c->kc_ctor != NULL && c->kc_ctor(obj, c->kc_arg, KM_NOSLEEP) != 0)
		panic("kmem: the constructor of cache %s failed", c->kc_name);
}

static void
object_init(kmem_cache_t *c, void *obj)
{
	if (c->kc_pattern)
		fill(obj, FREE_PATTERN, c->kc_size);
	else
		construct(c, obj);
	if (c->kc_redzone)
		*redzone_of(c, obj) = REDZONE;
}

static struct slab *
slab_create(kmem_cache_t *c, int kmflag)
{
	char *base = vmem_xalloc(c->kc_arena, c->kc_slabsize, c->kc_slabsize, kmflag & KM_NOSLEEP ? VM_NOSLEEP : VM_SLEEP);
	struct slab *sl;

	if (base == NULL)
		return (NULL);
	sl = (struct slab *)(base + c->kc_header);
	sl->sl_cache = c;
	sl->sl_magic = SLAB_MAGIC;
	sl->sl_free = 0;
	sl->sl_ntaken = 0;
	for (uint_t i = 0; i < c->kc_nobj; i++) {
		sl->sl_links[i] = i + 1 < c->kc_nobj ? (uint16_t)(i + 1) : LAST;
		object_init(c, base + i * c->kc_chunk);
	}
	return (sl);
}

static void
slab_destroy(kmem_cache_t *c, struct slab *sl)
{
	char *base = slab_base(c, sl);

	if (!c->kc_pattern && c->kc_dtor != NULL) {
		for (uint_t i = 0; i < c->kc_nobj; i++)
			c->kc_dtor(base + i * c->kc_chunk, c->kc_arg);
	}
	sl->sl_magic = 0;
	vmem_free(c->kc_arena, base, c->kc_slabsize);
}

/* ------------------------------------------------------------------ checks of DEBUG builds */

static void
pattern_verify(const kmem_cache_t *c, const void *obj)
{
	const uint32_t *w = obj;

	for (size_t i = 0; i < c->kc_size / sizeof(*w); i++) {
		if (w[i] != FREE_PATTERN)
			panic("kmem: a free object of cache %s at 0x%lx was written to: word at offset %u is 0x%08x", c->kc_name,
			    (ulong_t)(uintptr_t)obj, (uint_t)(i * sizeof(*w)), w[i]);
	}
}

static void
object_taken(kmem_cache_t *c, void *obj)
{
	if (!c->kc_pattern)
		return;
	pattern_verify(c, obj);
	fill(obj, NEW_PATTERN, c->kc_size);
	construct(c, obj);
}

static void
object_returned(kmem_cache_t *c, void *obj)
{
	if (c->kc_redzone && *redzone_of(c, obj) != REDZONE)
		panic("kmem: object of cache %s at 0x%lx was written beyond its %u bytes", c->kc_name, (ulong_t)(uintptr_t)obj,
		    (uint_t)c->kc_size);
	if (!c->kc_pattern)
		return;
	if (c->kc_dtor != NULL)
		c->kc_dtor(obj, c->kc_arg);
	fill(obj, FREE_PATTERN, c->kc_size);
}

/* Which object of which slab, or a message. The slab's header is read with care: the pointer may be anything. */
static struct slab *
object_check(kmem_cache_t *c, void *obj, uint_t *index)
{
	struct slab *sl = slab_of(c, obj), copy;
	size_t off = (size_t)((char *)obj - slab_base(c, sl));

	if (!peek(sl, &copy, sizeof(copy)) || copy.sl_magic != SLAB_MAGIC)
		panic("kmem_cache_free(%s): 0x%lx is in no slab", c->kc_name, (ulong_t)(uintptr_t)obj);
	if (copy.sl_cache != c)
		panic(
		    "kmem_cache_free(%s): 0x%lx belongs to cache %s", c->kc_name, (ulong_t)(uintptr_t)obj, copy.sl_cache->kc_name);
	*index = (uint_t)(off / c->kc_chunk);
	if (off % c->kc_chunk != 0 || *index >= c->kc_nobj)
		panic("kmem_cache_free(%s): 0x%lx is not the start of an object", c->kc_name, (ulong_t)(uintptr_t)obj);
	return (sl);
}

/* ------------------------------------------------------------------ taking and giving back */

/** DEBUG: every so many requests that may fail do. Not while the kernel starts: there is nothing yet that could answer. */
static bool
fail_on_purpose(int kmflag)
{
#ifdef DEBUG
	static volatile uint32_t count;

	if (kmem_fail_after != 0 && (kmflag & KM_NOSLEEP) && reaper_started)
		return (atomic_add_32(&count, 1) % kmem_fail_after == 0);
#endif
	(void)kmflag;
	return (false);
}

static void *
take_from(kmem_cache_t *c, struct slab *sl)
{
	uint_t i = sl->sl_free;

	if (sl->sl_ntaken++ == 0)
		c->kc_nempty--;
	sl->sl_free = sl->sl_links[i];
	sl->sl_links[i] = TAKEN;
	if (sl->sl_free == LAST)
		slab_unlist(c, sl);
	c->kc_inuse++;
	c->kc_allocs++;
	return (slab_base(c, sl) + i * c->kc_chunk);
}

void *
kmem_cache_alloc(kmem_cache_t *c, int kmflag)
{
	struct slab *sl;
	void *obj;

	if (fail_on_purpose(kmflag))
		return (NULL);
	mutex_enter(&c->kc_lock);
	while (c->kc_slabs == NULL) {
		mutex_exit(&c->kc_lock);
		sl = slab_create(c, kmflag);
		if (sl == NULL)
			return (NULL);
		mutex_enter(&c->kc_lock);
		slab_list(c, sl);
		c->kc_nempty++;
		c->kc_nslabs++;
	}
	obj = take_from(c, c->kc_slabs);
	mutex_exit(&c->kc_lock);
	object_taken(c, obj);
	return (obj);
}

/* Two empty slabs are one too many: the second goes back at once, the first waits for kmem_reap(). */
static struct slab *
give_to(kmem_cache_t *c, struct slab *sl, uint_t i)
{
	if (sl->sl_free == LAST)
		slab_list(c, sl);
	sl->sl_links[i] = sl->sl_free;
	sl->sl_free = (uint16_t)i;
	c->kc_inuse--;
	if (--sl->sl_ntaken > 0 || c->kc_nempty++ == 0)
		return (NULL);
	slab_unlist(c, sl);
	c->kc_nempty--;
	c->kc_nslabs--;
	return (sl);
}

void
kmem_cache_free(kmem_cache_t *c, void *obj)
{
	struct slab *sl, *surplus;
	uint_t i;

	sl = object_check(c, obj, &i);
	mutex_enter(&c->kc_lock);
	if (sl->sl_links[i] != TAKEN)
		panic("kmem_cache_free(%s): 0x%lx is free already", c->kc_name, (ulong_t)(uintptr_t)obj);
	object_returned(c, obj);
	surplus = give_to(c, sl, i);
	mutex_exit(&c->kc_lock);
	if (surplus != NULL)
		slab_destroy(c, surplus);
}

size_t
kmem_cache_inuse(const kmem_cache_t *c)
{
	return (c->kc_inuse);
}

/* ------------------------------------------------------------------ caches */

/*
 * The smallest slab that wastes no more than an eighth, or the largest. Objects first, then the header with a link for each;
 * the header is 8-aligned because slab sizes are.
 */
static void
slab_layout(kmem_cache_t *c)
{
	size_t room, header, n;

	for (c->kc_slabsize = PAGESIZE;; c->kc_slabsize *= 2) {
		room = c->kc_slabsize - sizeof(struct slab) - 8;
		n = room / (c->kc_chunk + sizeof(uint16_t));
		header = ROUNDUP(sizeof(struct slab) + n * sizeof(uint16_t), (size_t)8);
		if (n > 0 && (c->kc_slabsize - n * c->kc_chunk <= c->kc_slabsize / 8 + header || c->kc_slabsize >= SLAB_MAX))
			break;
	}
	c->kc_nobj = (uint_t)n;
	c->kc_header = c->kc_slabsize - header;
}

static void
cache_fill(kmem_cache_t *c, const char *name, size_t size, size_t align, vmem_t *arena, int flags)
{
	memset(c, 0, sizeof(*c));
	strlcpy(c->kc_name, name, sizeof(c->kc_name));
	align = MAX(align, sizeof(void *));
	c->kc_size = size;
	c->kc_pattern = debug && !(flags & KMC_NODEBUG);
	c->kc_redzone = c->kc_pattern && align <= 64;
	c->kc_chunk = ROUNDUP(size + (c->kc_redzone ? sizeof(uint32_t) : 0), align);
	c->kc_arena = arena != NULL ? arena : kmem_va_arena;
	slab_layout(c);
}

static void
cache_list(kmem_cache_t *c)
{
	mutex_enter(&caches_lock);
	c->kc_next = caches;
	caches = c;
	mutex_exit(&caches_lock);
}

kmem_cache_t *
kmem_cache_create(const char *name, size_t size, size_t align, int (*ctor)(void *, void *, int), void (*dtor)(void *, void *),
    void (*reclaim)(void *), void *arg, vmem_t *arena, int flags)
{
	kmem_cache_t *c = kmem_cache_alloc(&cache_of_caches, KM_SLEEP);

	cache_fill(c, name, size, align, arena, flags);
	c->kc_ctor = ctor;
	c->kc_dtor = dtor;
	c->kc_reclaim = reclaim;
	c->kc_arg = arg;
	cache_list(c);
	return (c);
}

static struct slab *
empty_slab_take(kmem_cache_t *c)
{
	struct slab *sl;

	mutex_enter(&c->kc_lock);
	for (sl = c->kc_slabs; sl != NULL && sl->sl_ntaken > 0; sl = sl->sl_next)
		continue;
	if (sl != NULL) {
		slab_unlist(c, sl);
		c->kc_nempty--;
		c->kc_nslabs--;
	}
	mutex_exit(&c->kc_lock);
	return (sl);
}

static void
cache_trim(kmem_cache_t *c)
{
	struct slab *sl;

	while ((sl = empty_slab_take(c)) != NULL)
		slab_destroy(c, sl);
}

void
kmem_cache_destroy(kmem_cache_t *c)
{
	kmem_cache_t **p;

	mutex_enter(&caches_lock);
	while (c->kc_holds > 0)
		cv_wait(&caches_cv, &caches_lock);
	for (p = &caches; *p != c; p = &(*p)->kc_next)
		continue;
	*p = c->kc_next;
	mutex_exit(&caches_lock);
	if (c->kc_inuse != 0)
		panic("kmem_cache_destroy: cache %s has %u objects in use", c->kc_name, (uint_t)c->kc_inuse);
	cache_trim(c);
	kmem_cache_free(&cache_of_caches, c);
}

/* ------------------------------------------------------------------ plain memory */

static kmem_cache_t *
alloc_cache(size_t size)
{
	uint_t i = 0;

	while (alloc_sizes[i] < size)
		i++;
	return (alloc_caches[i]);
}

void *
kmem_alloc(size_t size, int kmflag)
{
	if (size == 0)
		panic("kmem_alloc: of nothing");
	if (size > PAGE_DIRECT)
		return (vmem_alloc(kmem_va_arena, size, kmflag & KM_NOSLEEP ? VM_NOSLEEP : VM_SLEEP));
	return (kmem_cache_alloc(alloc_cache(size), kmflag));
}

void *
kmem_zalloc(size_t size, int kmflag)
{
	void *p = kmem_alloc(size, kmflag);

	if (p != NULL)
		memset(p, 0, size);
	return (p);
}

void
kmem_free(void *p, size_t size)
{
	if (size > PAGE_DIRECT)
		vmem_free(kmem_va_arena, p, size);
	else
		kmem_cache_free(alloc_cache(size), p);
}

/* ------------------------------------------------------------------ reaping */

/* The next cache after c (NULL: the first), held; c's hold is given back. */
static kmem_cache_t *
cache_next_held(kmem_cache_t *c)
{
	kmem_cache_t *next;

	mutex_enter(&caches_lock);
	next = c == NULL ? caches : c->kc_next;
	if (next != NULL)
		next->kc_holds++;
	if (c != NULL && --c->kc_holds == 0)
		cv_broadcast(&caches_cv);
	mutex_exit(&caches_lock);
	return (next);
}

void
kmem_reap_sync(void)
{
	kmem_cache_t *c = NULL;

	while ((c = cache_next_held(c)) != NULL) {
		if (c->kc_reclaim != NULL)
			c->kc_reclaim(c->kc_arg);
		cache_trim(c);
	}
}

/* Callable from anywhere, so it takes no mutex. */
void
kmem_reap(void)
{
	ulong_t saved = spin_enter(&sched_lock);
	kthread_t *t = waitq_take(&reap_waiter);

	reap_wanted = true;
	if (t != NULL)
		sched_wake(t);
	spin_exit(&sched_lock, saved);
}

static void
reap_wait(void)
{
	ulong_t saved = spin_enter(&sched_lock);

	while (!reap_wanted) {
		curthread->t_state = T_SLEEP;
		waitq_add(&reap_waiter, curthread);
		sched_switch();
	}
	reap_wanted = false;
	spin_exit(&sched_lock, saved);
}

void
kmem_reap_settle(void)
{
	bool busy = true;

	while (busy) {
		ulong_t saved = spin_enter(&sched_lock);

		busy = reaper_started && (reap_wanted || reap_waiter == NULL);
		spin_exit(&sched_lock, saved);
		if (busy)
			thread_yield();
	}
}

static void
reaper(void *arg)
{
	(void)arg;
	reaper_started = true;
	for (;;) {
		reap_wait();
		kmem_reap_sync();
	}
}

void
kmem_thread_init(void)
{
	(void)thread_create("kmem_reap", reaper, NULL);
}

void
kmem_init(void)
{
	char name[24];

	cache_fill(&cache_of_caches, "kmem_cache", sizeof(kmem_cache_t), sizeof(void *), NULL, 0);
	cache_list(&cache_of_caches);
	for (uint_t i = 0; i < NELEM(alloc_sizes); i++) {
		(void)snprintf(name, sizeof(name), "kmem_alloc_%u", (uint_t)alloc_sizes[i]);
		alloc_caches[i] = kmem_cache_create(name, alloc_sizes[i], 16, NULL, NULL, NULL, NULL, NULL, 0);
	}
}

void
kmem_show(void)
{
	kmem_cache_t *c = NULL;

	printf("%-20s %6s %6s %8s %6s\n", "cache", "size", "in use", "allocs", "slabs");
	while ((c = cache_next_held(c)) != NULL)
		printf("%-20s %6u %6u %8u %6u\n", c->kc_name, (uint_t)c->kc_size, (uint_t)c->kc_inuse, (uint_t)c->kc_allocs,
		    (uint_t)c->kc_nslabs);
}
