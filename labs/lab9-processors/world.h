/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 9 play with: a few addresses whose page is exchanged behind the back of all TLBs, and somebody
 * on another CPU who looks at them too. Reference code.
 *
 * With one CPU there is nobody else, and whatever is said of "the others" holds for nobody.
 */
#ifndef LAB9_WORLD_H
#define LAB9_WORLD_H

#include <check/check.h>
#include <hat/htable_impl.h>

#define NADDR 4u                      /**< addresses in the world */
#define ALL   ((1u << NADDR) - 1)     /**< a bit each */
#define CALM  ((uintptr_t)0x40a00000) /**< an address that nothing is ever mapped at */

/** Where the i-th address is. Bochs' TLB is direct mapped by bits 12-22; what the kernel touches does not evict all of them. */
uintptr_t world_va(uint_t i);
/** Map all addresses of a hat (the kernel's, too) to page one, by hand: no count is raised. The calling thread then runs it. */
void world_make(hat_t *hat);
/** Let all entries name page two. Nobody is told. */
void world_move(void);
/** Take the entries, pages and table away again, and flush: by the reference. */
void world_end(void);
/** At which addresses does this CPU still read page one? A bit each. It must run the hat. */
uint_t world_old(void);
/** At which does it read page two? */
uint_t world_new(void);

/** Somebody on CPU 1 who runs `hat` (NULL: none) and keeps the CPU. No more than one CPU: nothing. */
void peer_start(hat_t *hat);
void peer_stop(void);
/** world_old() and world_new() over there; none and all when there is nobody. */
uint_t peer_old(void);
uint_t peer_new(void);
/** Have it sleep as an idle CPU does, but without the halt: marked, interrupts off; it still answers. And wake up. */
void peer_sleep(void);
void peer_wake(void);
/** Have it turn the accessed bit of an entry on and off until peer_calm(). */
void peer_toggle(x86pte_t *entry);
void peer_calm(void);

#endif
