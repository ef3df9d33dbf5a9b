/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 7 share: address spaces to rob, somebody else at work meanwhile, and globals put back at the end.
 */
#ifndef LAB7_CHECKS_H
#define LAB7_CHECKS_H

#include <check/check.h>
#include <check/scratch.h>
#include <sys/thread.h>

#define VA ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE | PROT_USER)

/** Remember the globals that these checks change: they are as now again when the check is over, and the other thread has ended. */
void lab7_start(void);
/** What happens then, for a check that has something of its own to put back. */
void lab7_end(void);
/**
 * Have somebody else do something while the copy runs. He ends by himself, or soon after other_stopped() is true.
 * @param fn  called on a thread of its own
 */
void other_start(void (*fn)(void));
bool other_stopped(void);
/** Wait until he has ended. */
void other_join(void);
/** For the other one: wait until the checking thread sleeps. @return it does; false: it does not, in `ticks` ticks */
bool other_sees_sleep(uint64_t ticks);
/** The checking thread, for the other one to look at. */
kthread_t *other_whom(void);

/** Map n pages from va on, all to one frame. */
void map(hat_t *hat, uintptr_t va, uint_t n, page_t *pp);
/** Unmap what the checks map from VA on. */
void unmap(hat_t *hat);
/** n tables of level 0 on the hat's cached stack, as a process leaves them that has unmapped its memory. */
void make_cached(hat_t *hat, uint_t n);
uint_t cached(hat_t *hat);
/** Linked tables of this level with at least so many entries. */
uint_t linked(hat_t *hat, level_t level, int32_t valid);
/** Linked tables between level 0 and the top that are empty and that nobody holds. */
uint_t empty(hat_t *hat);
/** Give stolen tables back for good. @return how many there were */
uint_t give_back(htable_t *loot);

#endif
