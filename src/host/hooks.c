/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The hooks of hooks.h.
 */
#include <host/hooks.h>
#include <hat/hat_impl.h>
#include <vm/page.h>

void (*host_before_cas)(volatile void *p);
void (*host_before_load)(volatile void *p);
void (*host_before_lock)(void);
const kmutex_t *host_before_which;
void (*host_before_object)(void);
uint_t host_refuse, host_in_the_way;

x86pte_t __wrap_pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
x86pte_t __real_pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
x86pte_t __wrap_pte_load(volatile void *p);
x86pte_t __real_pte_load(volatile void *p);
void __wrap_mutex_enter_slow(kmutex_t *m);
void __real_mutex_enter_slow(kmutex_t *m);
void *__wrap_kmem_cache_alloc(kmem_cache_t *c, int flags);
void *__real_kmem_cache_alloc(kmem_cache_t *c, int flags);
void *__wrap_kmem_zalloc(size_t size, int flags);
void *__real_kmem_zalloc(size_t size, int flags);
int __wrap_hati_load_common(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn);
int __real_hati_load_common(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn);

x86pte_t
__wrap_pte_cas(volatile void *p, x86pte_t old, x86pte_t new)
{
	void (*hook)(volatile void *) = host_before_cas;

	host_before_cas = NULL;
	if (hook != NULL)
		hook(p);
	return (__real_pte_cas(p, old, new));
}

x86pte_t
__wrap_pte_load(volatile void *p)
{
	if (host_before_load != NULL)
		host_before_load(p);
	return (__real_pte_load(p));
}

void
__wrap_mutex_enter_slow(kmutex_t *m)
{
	void (*hook)(void) = host_before_lock;

	if (hook != NULL && m == host_before_which) {
		host_before_lock = NULL;
		hook();
	}
	__real_mutex_enter_slow(m);
}

static bool
is_refused(int flags)
{
	if (!(flags & KM_NOSLEEP) || host_refuse == 0)
		return (false);
	host_refuse--;
	return (true);
}

void *
__wrap_kmem_cache_alloc(kmem_cache_t *c, int flags)
{
	void (*hook)(void) = host_before_object;

	host_before_object = NULL;
	if (hook != NULL)
		hook();
	return (is_refused(flags) ? NULL : __real_kmem_cache_alloc(c, flags));
}

void *
__wrap_kmem_zalloc(size_t size, int flags)
{
	return (is_refused(flags) ? NULL : __real_kmem_zalloc(size, flags));
}

int
__wrap_hati_load_common(hat_t *hat, uintptr_t va, page_t *pp, uint_t attr, uint_t flags, level_t level, pfn_t pfn)
{
	if (host_in_the_way == 0)
		return (__real_hati_load_common(hat, va, pp, attr, flags, level, pfn));
	host_in_the_way--;
	return (-1);
}
