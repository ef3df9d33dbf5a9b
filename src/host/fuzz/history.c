/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Histories that a fuzzer writes: ten bytes are a step. Each input begins and ends with nothing mapped.
 */
#include <host/fuzz/fuzz.h>
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <check/invariants.h>
#include <sys/debug.h>
#include <sys/string.h>

#define STEP        10u
#define LARGE_UNITS 512u
#define MAX_STEPS   200u

static const struct machine_options options = {
	.program = "fuzz-history", .test = "history", .cmdline = "", .cpus = 2, .every = 1
};

/** A place in one of the model's regions, near a border more often than not. */
static void
place(struct op *op, const struct model *m, uint_t region, uint_t unit, uint_t offset)
{
	const struct model_region *r = &m->region[region % m->nregions];

	op->va = model_va(r, unit % r->n);
	op->va += op->kind == OP_TOUCH || op->kind == OP_LOOKUP ? offset & PAGEOFFSET : 0;
}

/** The first of n frames, all of one kind. */
static uint_t
frame(uint_t kind, uint_t index, uint_t offset, uint_t *n)
{
	offset = *n < LARGE_UNITS && !(offset & 1) ? offset % (LARGE_UNITS - *n) : 0;
	switch (kind & 3) {
	case 0:
		*n = 1;
		return (SMALL(index));
	case 1:
		return (CHUNK(index % CHUNKS, offset));
	case 2:
		return (DEVICE(index % DEVICES, offset));
	default:
		*n = 1;
		return (GIANT(index % DEVICES));
	}
}

static struct op
decode(const unsigned char *p)
{
	struct op op = { .kind = p[0] % OP_NKINDS, .cpu = p[1] & 1, .space = (int)(p[1] >> 1) % 7 - 1 };
	uint_t unit = p[3] | (p[4] & 3u) << 8, offset = p[5] | (uint_t)p[6] << 8;
	const struct model *m;

	if (op.space >= (int)SPACES)
		op.space = KERNEL_SPACE;
	if (op.kind == OP_ALLOC || op.kind == OP_FREE || op.kind == OP_UNLOAD_ALL || op.kind == OP_SWAPOUT)
		op.space = MAX(op.space, 0);
	op.attr = PROT_READ | (p[7] & (PROT_WRITE | PROT_EXEC | PROT_USER | HAT_NOSYNC));
	op.n = p[8] & 0x80 ? LARGE_UNITS : 1 + (p[8] & 15u);
	op.frame = frame(p[4] >> 2, p[9], offset, &op.n);
	op.flags = op.kind == OP_TOUCH ? p[8] & (MMU_WRITE | MMU_USER | MMU_EXEC) : p[8] >> 6 & 1u;
	m = history_space(op.space);
	if (m != NULL)
		place(&op, m, p[2], unit, offset);
	return (op);
}

static void
try_one(const unsigned char *data, unsigned long size)
{
	for (ulong_t n = 0; n < MAX_STEPS && (n + 1) * STEP <= size; n++) {
		struct op op = decode(data + n * STEP);

		if (history_apply(&op))
			expect(mmu_verify(host_exempt()) == 0, "P5 is broken");
	}
	history_compare();
	history_give_back();
	history_expect_unmapped();
	expect(check_invariants() == 0, "something is left behind");
}

static void
once(void)
{
	host_options = &options;
	host_machine();
	host_boot();
	history_begin();
	history_look_for_thieves(NULL);
}

const struct fuzz_target fuzz_history = { "history", once, try_one, NULL };
