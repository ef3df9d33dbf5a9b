/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The calls of the HAT that the steps of a drill are.
 */
#include <check/drill.h>
#include <hat/mmu.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <vm/as.h>
#include <vm/page.h>

#define LARGE       ((size_t)LEVEL_SIZE(1))
#define GROUP_PAGES ((uint_t)(LARGE / PAGESIZE))

/* Read by the host. */
pfn_t drill_small[DRILL_SMALL], drill_group[DRILL_GROUPS];
static struct as spaces[DRILL_SPACES];

hat_t *
drill_hat(uint_t space)
{
	return (spaces[space].a_hat);
}

pfn_t
drill_pfn(uint_t frame)
{
	if (frame < DRILL_GROUP(0))
		return (drill_small[frame % DRILL_SMALL]);
	return (drill_group[frame / DRILL_GROUP(0) - 1] + frame % DRILL_GROUP(0));
}

static page_t *
page_of(uint_t frame)
{
	return (page_numtopp_nolock(drill_pfn(frame)));
}

/* ------------------------------------------------------------------ steps */

/* The pages of a step that maps. */
static void
load(const struct drill_step *st, uint_t attr)
{
	uintptr_t va = st->ds_va + st->ds_skip * PAGESIZE;

	for (uint_t i = 0; i < st->ds_pages; i++)
		hat_memload(drill_hat(st->ds_space), va + i * PAGESIZE, page_of((st->ds_frame + i) % DRILL_SMALL), attr, HAT_LOAD);
}

static void
do_load(const struct drill_step *st)
{
	hat_unload(drill_hat(st->ds_space), st->ds_va, st->ds_len, HAT_UNLOAD);
	load(st, st->ds_attr);
}

static void
do_array(const struct drill_step *st)
{
	page_t *pages[DRILL_SMALL];

	hat_unload(drill_hat(st->ds_space), st->ds_va, st->ds_len, HAT_UNLOAD);
	for (uint_t i = 0; i < st->ds_pages; i++)
		pages[i] = page_of((st->ds_frame + i) % DRILL_SMALL);
	hat_memload_array(
	    drill_hat(st->ds_space), st->ds_va + st->ds_skip * PAGESIZE, st->ds_pages * PAGESIZE, pages, st->ds_attr, HAT_LOAD);
}

static void
do_large(const struct drill_step *st)
{
	hat_unload(drill_hat(st->ds_space), st->ds_va, st->ds_len, HAT_UNLOAD);
	hat_devload(drill_hat(st->ds_space), st->ds_va, st->ds_len, drill_pfn(st->ds_frame), st->ds_attr, HAT_LOAD);
}

static void
do_unload(const struct drill_step *st)
{
	hat_unload(drill_hat(st->ds_space), st->ds_va, st->ds_len, HAT_UNLOAD);
}

static void
do_attributes(const struct drill_step *st)
{
	hat_t *hat = drill_hat(st->ds_space);

	if (st->ds_kind == DRILL_SETATTR)
		hat_setattr(hat, st->ds_va, st->ds_len, st->ds_attr & ~(uint_t)(PROT_READ | PROT_USER));
	else if (st->ds_kind == DRILL_CLRATTR)
		hat_clrattr(hat, st->ds_va, st->ds_len, st->ds_attr & ~(uint_t)(PROT_READ | PROT_USER));
	else if (st->ds_kind == DRILL_CHGATTR)
		hat_chgattr(hat, st->ds_va, st->ds_len, st->ds_attr);
	else
		hat_chgprot(hat, st->ds_va, st->ds_len, st->ds_attr & HAT_PROT_MASK);
}

static void
do_sync(const struct drill_step *st)
{
	hat_sync(drill_hat(st->ds_space), st->ds_va, st->ds_len, st->ds_attr);
}

static void
do_pageunload(const struct drill_step *st)
{
	(void)hat_pageunload(page_of(st->ds_frame), HAT_FORCE_PGUNLOAD);
}

/* What is not there, or may not be written, is left alone. */
static void
touch(const struct drill_step *st, bool write)
{
	void *at = (void *)(st->ds_va + st->ds_skip * PAGESIZE);
	uint32_t word = 0x68617421;

	hat_setup(drill_hat(st->ds_space));
	(void)(write ? poke(at, &word, sizeof(word)) : peek(at, &word, sizeof(word)));
}

static void
do_touch(const struct drill_step *st)
{
	touch(st, (st->ds_attr & PROT_WRITE) != 0);
}

static void
do_again(const struct drill_step *st)
{
	do_load(st);
	touch(st, true);
	load(st, drill_again(st));
}

static void
leave(uint_t space)
{
	hat_setup(NULL);
	hat_free_start(drill_hat(space));
	hat_free_end(drill_hat(space));
	spaces[space].a_hat = NULL;
}

static void
enter(uint_t space)
{
	spaces[space].a_32bit = space == 1;
	spaces[space].a_hat = hat_alloc(&spaces[space]);
}

/* Whoever frees a hat has unloaded its pages. */
static void
unload_all(uint_t space)
{
	uint64_t end = mmu.num_level == 4 && space == 1 ? 1ull << 32 : userlimit;

	if (mmu.num_level < 4 || space == 1) {
		hat_unload(drill_hat(space), 0, (size_t)end, HAT_UNLOAD);
		return;
	}
	hat_unload(drill_hat(space), 0, mmu.hole_start, HAT_UNLOAD);
	hat_unload(drill_hat(space), mmu.hole_end + 1, (size_t)(end - (mmu.hole_end + 1)), HAT_UNLOAD);
}

static void
do_renew(const struct drill_step *st)
{
	unload_all(st->ds_space);
	leave(st->ds_space);
	enter(st->ds_space);
}

static void (*const does[DRILL_NKINDS])(const struct drill_step *) = {
	[DRILL_LOAD] = do_load,
	[DRILL_ARRAY] = do_array,
	[DRILL_AGAIN] = do_again,
	[DRILL_LARGE] = do_large,
	[DRILL_UNLOAD] = do_unload,
	[DRILL_SETATTR] = do_attributes,
	[DRILL_CLRATTR] = do_attributes,
	[DRILL_CHGATTR] = do_attributes,
	[DRILL_CHGPROT] = do_attributes,
	[DRILL_SYNC] = do_sync,
	[DRILL_PAGEUNLOAD] = do_pageunload,
	[DRILL_TOUCH] = do_touch,
	[DRILL_RENEW] = do_renew,
};

void
drill_do(const struct drill_step *st)
{
	does[st->ds_kind](st);
}

/* ------------------------------------------------------------------ beginning and end */

void
drill_begin(void)
{
	for (uint_t i = 0; i < DRILL_SMALL; i++) {
		page_t *pp = page_get(PAGE_USER);

		if (pp == NULL)
			panic("drill: out of memory");
		drill_small[i] = pp->p_pagenum;
	}
	for (uint_t i = 0; i < DRILL_GROUPS; i++) {
		page_t *pp = page_get_large(PAGE_USER, GROUP_PAGES);

		if (pp == NULL)
			panic("drill: no large page");
		drill_group[i] = pp->p_pagenum;
	}
	for (uint_t s = 0; s < DRILL_SPACES; s++)
		enter(s);
}

void
drill_end(void)
{
	for (uint_t s = 0; s < DRILL_SPACES; s++) {
		unload_all(s);
		leave(s);
	}
	for (uint_t i = 0; i < DRILL_SMALL; i++)
		page_free(page_of(i), 0);
	for (uint_t i = 0; i < DRILL_GROUPS * GROUP_PAGES; i++)
		page_free(page_of(DRILL_GROUP(i / GROUP_PAGES) + i % GROUP_PAGES), 0);
}
