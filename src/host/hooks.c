/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The hooks of hooks.h.
 */
#include <host/hooks.h>

void (*host_before_cas)(volatile void *p);
void (*host_before_load)(volatile void *p);
void (*host_before_lock)(void);
const kmutex_t *host_before_which;
void (*host_before_object)(void);

x86pte_t __wrap_pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
x86pte_t __real_pte_cas(volatile void *p, x86pte_t old, x86pte_t new);
x86pte_t __wrap_pte_load(volatile void *p);
x86pte_t __real_pte_load(volatile void *p);
void __wrap_mutex_enter_slow(kmutex_t *m);
void __real_mutex_enter_slow(kmutex_t *m);
void *__wrap_kmem_cache_alloc(kmem_cache_t *c, int flags);
void *__real_kmem_cache_alloc(kmem_cache_t *c, int flags);

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

void *
__wrap_kmem_cache_alloc(kmem_cache_t *c, int flags)
{
	void (*hook)(void) = host_before_object;

	host_before_object = NULL;
	if (hook != NULL)
		hook();
	return (__real_kmem_cache_alloc(c, flags));
}
