/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the scenarios share: the world that they happen in, and what a program of a user's does in it.
 */
#ifndef HOST_SCHED_SCENE_H
#define HOST_SCHED_SCENE_H

#include <host/host.h>
#include <host/sched/sched.h>
#include <host/mmu.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <vm/as.h>
#include <vm/page.h>

#define VA    ((uintptr_t)0x40005000) /**< not the first one of its table: a flush of the table's own address is no flush of this */
#define VA2   (VA + PAGESIZE)
#define FAR   (VA + 0x40000000) /**< another table at each level but, with 64 bits, the two highest; the same place in each */
#define LARGE LEVEL_SIZE(1)
#define RW    (PROT_READ | PROT_WRITE | PROT_USER)
#define RO    (PROT_READ | PROT_USER)
#define PAGES 4

/** One scenario: made by one CPU, then each CPU does its part, then it is judged. */
struct scene {
	const char *name;
	unsigned cpus;
	void (*prepare)(void);
	void (*part[SCHED_CPUS])(void);
	void (*judge)(void); /**< NULL: nothing but what is always judged */
	unsigned only;       /**< bytes of a pointer where this exists; 0: at both widths */
};
/** Tables of the scenarios, one a file; each ends with a NULL name. */
extern const struct scene scenes_tables[], scenes_entries[], scenes_lives[];

/** An address space, and others for scenarios that need more. */
extern hat_t *space, *client[2];
extern struct as wide, narrow;
/** Pages for users, exclusive-locked. */
extern page_t *page[PAGES];
/** Something has been done, and the others may see it. */
extern volatile uint32_t flag;

/** Let these CPUs run an address space; CPU 0 goes on. */
void world_runs(hat_t *hat, cpuset_t cpus);
/** One access of a user's program on this CPU: @return the page that it reached, or NULL after a fault */
page_t *world_access(uintptr_t va, bool write);
/** All scenarios at once end with this: what users have goes, and everything that they had is back. */
void world_end(void);

/**
 * @name What several files' scenarios do
 * @{
 */
static inline void
load_first(void)
{
	hat_memload(space, VA, page[0], RW, HAT_LOAD);
}

static inline void
load_second(void)
{
	hat_memload(space, VA2, page[1], RW, HAT_LOAD);
}

static inline void
two_pages(void)
{
	load_first();
	load_second();
}

static inline void
steal_one(void)
{
	htable_t *ht = htable_steal(1);

	if (ht != NULL)
		htable_free(ht);
}

static inline void
reap(void)
{
	htable_reap(NULL);
}
/** @} */

#endif
