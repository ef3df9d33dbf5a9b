/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What another CPU does at the worst moment: called just before a call of one of these functions goes on.
 *
 * The functions are linked with --wrap (host.mk), so that no unit knows. A hook is cleared before it runs, if nothing else is said; "CPU 1" is whoever it
 * says it is (host_on()).
 */
#ifndef HOST_HOOKS_H
#define HOST_HOOKS_H

#include <sys/kmem.h>
#include <sys/mutex.h>
#include <x86/pte.h>

/** Before pte_cas(): p is the entry. */
extern void (*host_before_cas)(volatile void *p);
/** Before each pte_load(), until it clears itself. */
extern void (*host_before_load)(volatile void *p);
/** Before a mutex is taken, if it is this one. */
extern void (*host_before_lock)(void);
extern const kmutex_t *host_before_which;
/** Before an object is allocated. */
extern void (*host_before_object)(void);
/** So many requests for memory that may fail do fail, from the next one on. */
extern uint_t host_refuse;
/** So many calls of hati_load_common() by other files find a table of smaller pages in the way, from the next one on. */
extern uint_t host_in_the_way;

#endif
