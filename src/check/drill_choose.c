/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The steps of a drill. The host compiles this file too: of the HAT it knows the geometry, and nothing else.
 */
#include <check/drill.h>
#include <hat/mmu.h>
#include <sys/random.h>

#define PLACE_PAGES 1024u /* of a place: two large pages of 2 MiB, or one of 4 */
#define PLACE       ((uint64_t)PLACE_PAGES * PAGESIZE)
#define LARGE_PLACE ((uintptr_t)0x08000000) /* where large pages go, and small ones instead of them */
#define LARGE       ((size_t)LEVEL_SIZE(1))
#define RU          (uint_t)(PROT_READ | PROT_USER)

static uint64_t state;

static uint_t
rnd(uint_t n)
{
	return (random_below(&state, n));
}

static bool
chance(uint_t percent)
{
	return (rnd(100) < percent);
}

/* Both ends of what a user has, the border of a gigabyte, both sides of the hole, and somewhere. */
static uintptr_t
choose_place(uint_t space)
{
	bool narrow = mmu.num_level < 4 || space == 1;
	uint64_t end = mmu.num_level == 4 && narrow ? 1ull << 32 : userlimit;
	const uint64_t places[] = { 0, 0x3fe00000, end - PLACE, mmu.hole_start - PLACE, (uint64_t)mmu.hole_end + 1,
		0x123456600000 };

	return ((uintptr_t)places[rnd(narrow ? 3 : NELEM(places))]);
}

/** Small pages, ends and borders of tables more often than not: no two steps agree where one begins. */
static void
choose_small(struct drill_step *st)
{
	static const uint_t liked[] = { 0, 506, 1012 };
	uint_t first = chance(80) ? liked[rnd(NELEM(liked))] + rnd(12) : rnd(PLACE_PAGES);

	st->ds_pages = 1 + rnd(9);
	st->ds_pages = MIN(st->ds_pages, PLACE_PAGES - first);
	st->ds_va = choose_place(st->ds_space) + first * PAGESIZE;
	st->ds_len = st->ds_pages * PAGESIZE;
}

/** A large page as a whole. */
static void
choose_large(struct drill_step *st)
{
	st->ds_va = LARGE_PLACE + rnd((uint_t)(PLACE / LARGE)) * LARGE;
	st->ds_len = LARGE;
}

static void
choose_range(struct drill_step *st)
{
	if (chance(25))
		choose_large(st);
	else
		choose_small(st);
}

static uint_t
choose_attr(void)
{
	return (RU | (chance(65) ? PROT_WRITE : 0) | (chance(35) ? PROT_EXEC : 0) | (chance(10) ? HAT_NOSYNC : 0));
}

/** Where small pages are, or some where a large one may have been. */
static void
choose_load(struct drill_step *st)
{
	st->ds_attr = choose_attr();
	st->ds_frame = rnd(DRILL_SMALL);
	if (chance(85)) {
		choose_small(st);
		return;
	}
	choose_large(st);
	st->ds_pages = 1 + rnd(5);
	st->ds_skip = rnd((uint_t)(LARGE / PAGESIZE) - st->ds_pages);
}

static void
choose_large_load(struct drill_step *st)
{
	choose_large(st);
	st->ds_attr = choose_attr();
	st->ds_frame = DRILL_GROUP(rnd(DRILL_GROUPS));
}

static void
choose_attributes(struct drill_step *st)
{
	choose_range(st);
	st->ds_attr = choose_attr();
}

static void
choose_sync(struct drill_step *st)
{
	choose_range(st);
	st->ds_attr = chance(50) ? HAT_SYNC_ZERORM : HAT_SYNC_DONTZERO;
}

static void
choose_page(struct drill_step *st)
{
	st->ds_frame = rnd(DRILL_SMALL);
}

static void
choose_touch(struct drill_step *st)
{
	choose_range(st);
	st->ds_skip = rnd((uint_t)(st->ds_len / PAGESIZE));
	st->ds_attr = chance(50) ? PROT_WRITE : 0;
}

static void
choose_nothing(struct drill_step *st)
{
	(void)st;
}

static const struct {
	uint_t weight; /* in a hundred */
	enum drill_kind kind;
	void (*choose)(struct drill_step *st);
} kinds[] = {
	{ 28, DRILL_LOAD, choose_load },
	{ 5, DRILL_ARRAY, choose_load },
	{ 5, DRILL_AGAIN, choose_load },
	{ 6, DRILL_LARGE, choose_large_load },
	{ 18, DRILL_UNLOAD, choose_range },
	{ 5, DRILL_SETATTR, choose_attributes },
	{ 5, DRILL_CLRATTR, choose_attributes },
	{ 5, DRILL_CHGATTR, choose_attributes },
	{ 5, DRILL_CHGPROT, choose_attributes },
	{ 4, DRILL_SYNC, choose_sync },
	{ 3, DRILL_PAGEUNLOAD, choose_page },
	{ 10, DRILL_TOUCH, choose_touch },
	{ 1, DRILL_RENEW, choose_nothing },
};

struct drill_step
drill_choose(uint64_t seed, ulong_t n)
{
	struct drill_step st = { .ds_va = 0 };
	uint_t k = 0, chosen;

	state = random_series(seed, n);
	(void)rnd(2);
	chosen = rnd(100);
	st.ds_space = rnd(DRILL_SPACES);
	while (chosen >= kinds[k].weight)
		chosen -= kinds[k++].weight;
	st.ds_kind = kinds[k].kind;
	kinds[k].choose(&st);
	return (st);
}
