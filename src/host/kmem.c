/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Kernel memory on the host's, one object an allocation, so that AddressSanitizer sees use after free and overruns.
 */
#include <host/host.h>
#include <hat/hat_impl.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/string.h>
#include <vm/page.h>
#include <memmap.h>

#define MAXCACHES    8
#define MAXHATS      256
#define PATTERN_NEW  0xba
#define PATTERN_FREE 0xde

struct kmem_cache {
	char kc_name[24];
	size_t kc_size, kc_align;
	void (*kc_reclaim)(void *);
	void *kc_arg;
	size_t kc_inuse;
	vmem_t *kc_arena;
};

/** Bytes of objects, for those who ask where they come from. */
struct vmem {
	size_t vm_inuse;
};
static struct vmem arenas[3];
vmem_t *heap_arena = &arenas[0], *kmem_va_arena = &arenas[1], *hat_memload_arena = &arenas[2];

static struct kmem_cache caches[MAXCACHES];
static uint_t ncaches;
uint64_t kmem_fail_after;          /* --kmem-fail */
static uint64_t requests;          /* that may fail */
static const hat_t *hats[MAXHATS]; /* objects of the cache "hat_t", so that a lock can be told by its address */

kmem_cache_t *
kmem_cache_create(const char *name, size_t size, size_t align, int (*ctor)(void *, void *, int), void (*dtor)(void *, void *),
    void (*reclaim)(void *), void *arg, vmem_t *arena, int flags)
{
	kmem_cache_t *c = &caches[ncaches++];

	(void)flags;
	if (ncaches > MAXCACHES || ctor != NULL || dtor != NULL)
		panic("kmem_cache_create: %s wants what this one has not", name);
	strlcpy(c->kc_name, name, sizeof(c->kc_name));
	c->kc_size = size;
	c->kc_align = align;
	c->kc_arena = arena != NULL ? arena : kmem_va_arena;
	c->kc_reclaim = reclaim;
	c->kc_arg = arg;
	return (c);
}

static void
note_hat(const void *from, const void *to)
{
	for (uint_t i = 0; i < MAXHATS; i++)
		if (hats[i] == from) {
			hats[i] = to;
			return;
		}
	panic("too many hats for the pretend machine");
}

const hat_t *
host_hat_of(const void *addr)
{
	const hat_t *hat = NULL;

	machine_lock();
	for (uint_t i = 0; i < MAXHATS && hat == NULL; i++)
		if (hats[i] != NULL && (uintptr_t)addr - (uintptr_t)hats[i] < sizeof(hat_t))
			hat = hats[i];
	machine_unlock();
	return (hat);
}

void *
kmem_cache_alloc(kmem_cache_t *c, int kmflag)
{
	void *p;

	host_may_block("kmem_cache_alloc");
	if ((kmflag & KM_NOSLEEP) && kmem_fail_after != 0 && (can_steal_post_boot || host_switch != NULL) &&
	    ++requests % kmem_fail_after == 0)
		return (NULL);
	p = memset(machine_alloc(c->kc_size, c->kc_align), PATTERN_NEW, c->kc_size);
	machine_lock();
	c->kc_inuse++;
	c->kc_arena->vm_inuse += c->kc_size;
	if (strcmp(c->kc_name, "hat_t") == 0)
		note_hat(NULL, p);
	machine_unlock();
	return (p);
}

void
kmem_cache_free(kmem_cache_t *c, void *obj)
{
	host_may_block("kmem_cache_free");
	host_frees(obj, c->kc_size);
	machine_lock();
	if (c->kc_inuse-- == 0)
		panic("kmem_cache_free: nothing of %s is out", c->kc_name);
	c->kc_arena->vm_inuse -= c->kc_size;
	if (strcmp(c->kc_name, "hat_t") == 0)
		note_hat(obj, NULL);
	machine_unlock();
	machine_free(memset(obj, PATTERN_FREE, c->kc_size));
}

size_t
vmem_inuse(const vmem_t *v)
{
	return (v->vm_inuse);
}

size_t
kmem_cache_inuse(const kmem_cache_t *c)
{
	return (c->kc_inuse);
}

/** Free addresses for page_alloc(), and the first one never used. */
static uintptr_t free_pages[HOST_NPAGES], next_page = HOST_PAGES;
static uint_t nfree_pages;

/** A whole page may be one that the MMU is to read: it is memory of the pretend machine, mapped in the kernel's tables. */
static void *
page_alloc(void)
{
	uintptr_t va = nfree_pages > 0 ? free_pages[--nfree_pages] : next_page;
	page_t *pp = page_resv(1, true) ? page_get(PAGE_KERNEL) : NULL;

	if (pp == NULL || va == HOST_PAGES + HOST_NPAGES * PAGESIZE)
		panic("kmem_alloc: no page");
	next_page += va == next_page ? PAGESIZE : 0;
	hat_memload(kas_hat, va, pp, PROT_READ | PROT_WRITE, HAT_LOAD_NOCONSIST);
	return ((void *)va);
}

static void
page_give_back(void *p)
{
	page_t *pp = page_numtopp_nolock(hat_getpfnum(kas_hat, (uintptr_t)p));

	hat_unload(kas_hat, (uintptr_t)p, PAGESIZE, HAT_UNLOAD);
	page_free(pp, 1);
	page_unresv(1);
	free_pages[nfree_pages++] = (uintptr_t)p;
}

static bool
is_page(const void *p)
{
	return ((uintptr_t)p - HOST_PAGES < HOST_NPAGES * PAGESIZE);
}

void *
kmem_alloc(size_t size, int kmflag)
{
	(void)kmflag;
	host_may_block("kmem_alloc");
	if (size == PAGESIZE && khat_running)
		return (memset(page_alloc(), PATTERN_NEW, size));
	return (memset(machine_alloc(size, 16), PATTERN_NEW, size));
}

void *
kmem_zalloc(size_t size, int kmflag)
{
	return (memset(kmem_alloc(size, kmflag), 0, size));
}

void
kmem_free(void *p, size_t size)
{
	host_may_block("kmem_free");
	if (is_page(p)) {
		page_give_back(p);
		return;
	}
	host_frees(p, size);
	machine_free(memset(p, PATTERN_FREE, size));
}

void
kmem_reap_sync(void)
{
	host_may_block("kmem_reap_sync");
	for (uint_t i = 0; i < ncaches; i++)
		if (caches[i].kc_reclaim != NULL)
			caches[i].kc_reclaim(caches[i].kc_arg);
}

bool host_reap_wanted;

void
kmem_reap(void)
{
	host_reap_wanted = true;
}

void
strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size == 0)
		return;
	n = MIN(n, size - 1);
	memcpy(dst, src, n);
	dst[n] = '\0';
}
