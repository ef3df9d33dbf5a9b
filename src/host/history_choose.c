/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a random history does next: borders, neighbours, and what was used before, more often than chance would.
 */
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <hat/hat_impl.h>
#include <sys/random.h>
#include <memmap.h>

#define LARGE_UNITS (uint_t)(LEVEL_SIZE(1) >> PAGESHIFT)

static uint64_t random_state;

static uint_t
rnd(uint_t n)
{
	return (random_below(&random_state, n));
}

static bool
chance(uint_t percent)
{
	return (rnd(100) < percent);
}

/* ------------------------------------------------------------------ where */

/** A CPU that is awake; CPU 0 always is. */
static int
choose_cpu(void)
{
	int id = (int)rnd((uint_t)ncpus);

	return (history_asleep(id) ? 0 : id);
}

static struct model *
choose_space(void)
{
	struct model *m = &history.space[rnd(SPACES)];

	return (m->used && !chance(15) ? m : &history.kernel);
}

static struct model_region *
choose_region(struct model *m)
{
	return (&m->region[rnd(m->nregions)]);
}

/** Units that meet again: ends and borders of tables mostly. */
static uint_t
choose_unit(const struct model_region *r)
{
	static const uint_t liked[] = { 0, 1, 2, 3, 510, 511, 512, 513, 1022, 1023 };

	if (r->n < REGION_UNITS)
		return (rnd(r->n));
	return (chance(70) ? liked[rnd(NELEM(liked))] : rnd(r->n));
}

/** Mostly one that is mapped, if a few tries find one. */
static uint_t
choose_mapped(const struct model_region *r)
{
	uint_t i = choose_unit(r);

	for (int tries = 0; tries < 6 && r->page[i].level < 0; tries++)
		i = choose_unit(r);
	return (i);
}

static uint_t
choose_attr(void)
{
	uint_t attr = PROT_READ;

	attr |= chance(70) ? PROT_WRITE : 0;
	attr |= chance(30) ? PROT_EXEC : 0;
	attr |= chance(80) ? PROT_USER : 0;
	return (attr | (chance(10) ? HAT_NOSYNC : 0));
}

/** A space, a region of it and a unit, mostly a mapped one. */
static void
choose_place(struct op *op, bool mapped, struct model_region **rp)
{
	struct model *m = choose_space();

	*rp = choose_region(m);
	op->space = history_number(m);
	op->va = model_va(*rp, mapped ? choose_mapped(*rp) : choose_unit(*rp));
	op->n = 1;
}

/* ------------------------------------------------------------------ what */

static void
choose_load(struct op *op)
{
	struct model_region *r;

	choose_place(op, false, &r);
	op->frame = SMALL(rnd(SMALL_FRAMES));
	op->attr = choose_attr();
	op->flags = HAT_LOAD | (chance(10) ? HAT_LOAD_LOCK : 0);
}

/** Many frames at once: whole large pages, or a few small ones that begin anywhere. */
static void
choose_devload(struct op *op)
{
	struct model_region *r;
	bool large = chance(60), device;
	uint_t offset;

	choose_place(op, false, &r);
	op->attr = choose_attr();
	if (r->shift > PAGESHIFT) {
		op->n = 1 + rnd(2);
		op->frame = GIANT(rnd(DEVICES));
		return;
	}
	op->n = large ? LARGE_UNITS : 1 + rnd(12);
	if (large)
		op->va = model_va(r, (uint_t)((op->va - r->base) >> PAGESHIFT) & -(LARGE_UNITS));
	offset = large ? 0 : rnd(LARGE_UNITS - 12);
	device = chance(50);
	op->frame = device ? DEVICE(rnd(DEVICES), offset) : CHUNK(rnd(CHUNKS), offset);
}

static void
choose_unload(struct op *op)
{
	struct model_region *r;

	choose_place(op, false, &r);
	op->n = chance(60) ? 1 : chance(80) ? 1 + rnd(12) : r->n;
	if (op->n == r->n)
		op->va = r->base;
	op->flags = chance(10); /* as while somebody reaps: tables are really freed */
}

static void
choose_attributes(struct op *op)
{
	struct model_region *r;

	choose_place(op, true, &r);
	op->n = chance(50) ? 1 : 1 + rnd(12);
	op->attr = choose_attr();
	op->flags = op->kind == OP_SYNC && chance(50) ? HAT_SYNC_ZERORM : 0;
}

static void
choose_touch(struct op *op)
{
	struct model *m;
	struct model_region *r;

	host_on(op->cpu);
	m = chance(80) ? history_running() : &history.kernel;
	r = choose_region(m);
	op->space = history_number(m);
	op->va = model_va(r, choose_mapped(r)) + rnd(PAGESIZE);
	op->flags = chance(40) ? MMU_WRITE : chance(20) ? MMU_EXEC : 0;
	op->flags |= !m->kernel && chance(60) ? MMU_USER : 0;
}

static void
choose_lookup(struct op *op)
{
	struct model_region *r;

	choose_place(op, false, &r);
	op->va += chance(50) ? 0 : rnd(1u << 30) & ((1ul << r->shift) - 1);
}

static void
choose_page(struct op *op)
{
	op->space = NOBODY;
	op->frame = chance(70) ? SMALL(rnd(SMALL_FRAMES)) : CHUNK(rnd(CHUNKS), rnd(LARGE_UNITS));
	op->flags = op->kind == OP_PAGESYNC && chance(50) ? HAT_SYNC_ZERORM : 0;
}

static void
choose_user(struct op *op)
{
	op->space = (int)rnd(SPACES);
	op->flags = chance(40);
}

static void
choose_switch(struct op *op)
{
	op->space = chance(20) ? KERNEL_SPACE : (int)rnd(SPACES);
}

static void
choose_purge(struct op *op)
{
	op->space = history_number(choose_space());
}

static void
choose_wake(struct op *op)
{
	op->cpu = (int)rnd((uint_t)ncpus);
	op->space = NOBODY;
}

static void
choose_nothing(struct op *op)
{
	op->space = NOBODY;
}

static const struct {
	uint_t weight; /* in a thousand */
	enum op_kind kind;
	void (*choose)(struct op *op);
} kinds[] = {
	{ 330, OP_TOUCH, choose_touch },
	{ 240, OP_LOAD, choose_load },
	{ 140, OP_UNLOAD, choose_unload },
	{ 60, OP_DEVLOAD, choose_devload },
	{ 25, OP_SWITCH, choose_switch },
	{ 40, OP_LOOKUP, choose_lookup },
	{ 20, OP_SETATTR, choose_attributes },
	{ 20, OP_CLRATTR, choose_attributes },
	{ 20, OP_CHGATTR, choose_attributes },
	{ 20, OP_CHGPROT, choose_attributes },
	{ 20, OP_SYNC, choose_attributes },
	{ 5, OP_PAGEUNLOAD, choose_page },
	{ 5, OP_PAGESYNC, choose_page },
	{ 3, OP_REAP, choose_nothing },
	{ 5, OP_PURGE, choose_purge },
	{ 2, OP_SWAPOUT, choose_user },
	{ 10, OP_SLEEP, choose_nothing },
	{ 10, OP_WAKE, choose_wake },
	{ 10, OP_ALLOC, choose_user },
	{ 3, OP_FREE, choose_user },
	{ 2, OP_UNLOAD_ALL, choose_user },
	{ 10, OP_REFAULT, choose_nothing },
};

struct op
history_choose(uint64_t seed, ulong_t step)
{
	struct op op = { .cpu = 0 };
	uint_t n, k = 0;

	/* Each step has its own chance: what was left out before it does not change it. */
	random_state = random_series(seed, step);
	(void)rnd(2);
	n = rnd(1000);
	op.cpu = choose_cpu();
	while (n >= kinds[k].weight)
		n -= kinds[k++].weight;
	op.kind = kinds[k].kind;
	kinds[k].choose(&op);
	return (op);
}
