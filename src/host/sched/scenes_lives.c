/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Scenarios about address spaces that end, are robbed, or show each other's tables; and pages that are waited for.
 */
#include <host/sched/scene.h>

static void
end_it(void)
{
	host_free_space(space);
	space = NULL;
}

static void
take_page(void)
{
	(void)hat_pageunload(page[0], 0);
}

/* ------------------------------------------------------------------ shared tables */

#define SHARED  (VA & LEVEL_MASK(1))  /* what one table maps, */
#define THERE   (FAR & LEVEL_MASK(1)) /* where clients see it, */
#define SEEN_VA FAR                   /* and the page in it */

static void
source_and_clients(void)
{
	hat_memload(space, VA, page[0], RW, HAT_LOAD_SHARE);
	hat_memload(space, SHARED, page[1], RW, HAT_LOAD_SHARE); /* a table is shared only if its first page is there */
	client[0] = hat_alloc(&wide);
	client[1] = hat_alloc(&wide);
	(void)hat_share(client[1], THERE, space, SHARED, LARGE, 0);
	world_runs(client[1], CPUSET(1));
	host_on(1);
	expect(world_access(SEEN_VA, true) == page[0], "the shared page cannot be written");
	host_on(0);
}

/** A page of the source goes: nobody sees it any more. */
static void
unload_source(void)
{
	hat_unload(space, VA, PAGESIZE, HAT_UNLOAD);
	flag = 1;
}

static void
write_if_there(void)
{
	bool gone = flag != 0;

	expect(world_access(SEEN_VA, true) == NULL || !gone, "a client writes to a page that is another's now");
}

static void
unshare_all(void)
{
	hat_unshare(client[1], THERE, LARGE, 0);
}

static void
share(void)
{
	(void)hat_share(client[0], THERE, space, SHARED, LARGE, 0);
}

static void
unshare(void)
{
	hat_unshare(client[1], THERE, LARGE, 0);
}

static void
one_sees_it(void)
{
	expect(hat_getpfnum(client[0], SEEN_VA) == page[0]->p_pagenum, "the client does not see the page");
	expect(!hat_probe(client[1], SEEN_VA), "the other client still sees the page");
	hat_unshare(client[0], THERE, LARGE, 0);
}

/* ------------------------------------------------------------------ flags under different locks */

static void
another_space(void)
{
	load_first();
	client[0] = hat_alloc(&wide);
	hat_memload(client[0], VA2, page[2], RW, HAT_LOAD); /* there is something to be robbed */
}

static void
begin_to_share(void)
{
	hat_memload(client[0], VA, page[1], RW, HAT_LOAD_SHARE);
}

static void
is_shared(void)
{
	expect((client[0]->hat_flags & (HAT_SHARED | HAT_VICTIM)) == HAT_SHARED, "hat_flags are 0x%x", client[0]->hat_flags);
}

/* ------------------------------------------------------------------ a frame that somebody looks at */

static page_t *frame;

static void
table_of_one_page(void)
{
	htable_t *ht;

	load_first();
	ht = htable_lookup(space, VA, 0);
	frame = page_numtopp_nolock(ht->ht_pfn);
	htable_release(ht);
	htable_dont_cache = 1;
}

static void
unload_page(void)
{
	hat_unload(space, VA, PAGESIZE, HAT_UNLOAD);
}

static void
look_at_frame(void)
{
	if (!page_lock(frame, false, false))
		return;
	expect(frame->p_state != PAGE_FREE, "the lock of a free page was given to somebody");
	page_unlock(frame);
}

static void
frame_is_free(void)
{
	expect(frame->p_state == PAGE_FREE && frame->p_selock == 0, "the frame is not free: state %d, lock %d", frame->p_state,
	    frame->p_selock);
	htable_dont_cache = 0;
}

/* ------------------------------------------------------------------ objects set aside */

static htable_t *spare, *taken;

static void
one_is_out(void)
{
	load_first();
	spare = htable_get_reserve();
	expect(spare != NULL, "the reserve is empty");
}

static void
put_spare(void)
{
	htable_put_reserve(spare);
}

static void
take_spare(void)
{
	taken = htable_get_reserve();
}

static void
reserve_is_whole(void)
{
	uint_t n = 0;

	for (const htable_t *ht = htable_reserve_pool; ht != NULL; ht = ht->ht_next) {
		expect(ht != taken, "what was taken is still in the reserve");
		n++;
	}
	expect(n == htable_reserve_cnt, "%u objects are in the reserve, and %u are counted", n, htable_reserve_cnt);
	htable_put_reserve(taken);
}

const struct scene scenes_lives[] = {
	{ "steal-exit", 2, load_first, { steal_one, end_it }, NULL, 0 },
	{ "steal-steal", 2, two_pages, { steal_one, steal_one }, NULL, 0 },
	{ "steals-exit", 3, load_first, { steal_one, steal_one, end_it }, NULL, 0 },
	{ "reap-exit", 2, load_first, { reap, end_it }, NULL, 0 },
	{ "steal-page", 2, two_pages, { steal_one, take_page }, NULL, 0 },
	{ "page-exit", 2, load_first, { take_page, end_it }, NULL, 0 },
	{ "steal-share", 2, another_space, { steal_one, begin_to_share }, is_shared, 0 },
	{ "share-unshare", 2, source_and_clients, { share, unshare }, one_sees_it, 0 },
	{ "source-unload", 2, source_and_clients, { unload_source, write_if_there }, unshare_all, 0 },
	{ "free-look", 2, table_of_one_page, { unload_page, look_at_frame }, frame_is_free, 0 },
	{ "reserve", 2, one_is_out, { put_spare, take_spare }, reserve_is_whole, 0 },
	{ 0 },
};
