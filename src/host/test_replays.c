/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Histories that failed once, with a mistake in the HAT that their comments name: `--shrink` has made them short, and printed them.
 */
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <memmap.h>

/** x86pte_set() drops the accessed and dirty bits of what it replaces. */
static const struct op reload_keeps_bits[] = {
	{ OP_LOAD, .cpu = 1, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .frame = SMALL(255), .attr = 0xf },
	{ OP_TOUCH, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE + 0x4cd, .flags = MMU_WRITE },
	{ OP_LOAD, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .frame = SMALL(62), .attr = 0x3 },
};

/** hati_update_pte() does not collect when the bits are taken away. */
static const struct op sync_collects[] = {
	{ OP_LOAD, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .frame = SMALL(138), .attr = 0xb },
	{ OP_TOUCH, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE + 0xe9d, .flags = MMU_WRITE },
	{ OP_SYNC, .cpu = 1, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .flags = HAT_SYNC_ZERORM },
};

/** tlb_service() leaves global translations. */
static const struct op waking_flushes_all[] = {
	{ OP_LOAD, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .frame = SMALL(255), .attr = 0xf },
	{ OP_TOUCH, .cpu = 1, .space = KERNEL_SPACE, .va = HEAP_BASE + 0x54b },
	{ OP_SLEEP, .cpu = 1, .space = NOBODY },
	{ OP_LOAD, .cpu = 0, .space = KERNEL_SPACE, .va = HEAP_BASE, .n = 1, .frame = SMALL(62), .attr = 0x3 },
	{ OP_WAKE, .cpu = 1, .space = NOBODY },
};

/** htable_steal() takes a table that is not empty, since a large page is in it. */
static const struct op large_page_stays[] = {
	{ OP_ALLOC, .cpu = 1, .space = 3 },
	{ OP_DEVLOAD, .cpu = 1, .space = 3, .va = 0x8000000, .n = 512, .frame = CHUNK(2, 0), .attr = 0x3 },
	{ OP_REAP, .cpu = 0, .space = NOBODY },
};

/** htable_cut() does not flush. */
static const struct op theft_flushes[] = {
	{ OP_ALLOC, .cpu = 1, .space = 0 },
	{ OP_LOAD, .cpu = 0, .space = 0, .va = 0x1ff000, .n = 1, .frame = SMALL(86), .attr = 0x2b },
	{ OP_SWITCH, .cpu = 0, .space = 0 },
	{ OP_TOUCH, .cpu = 0, .space = 0, .va = 0x1ff8c2, .flags = MMU_WRITE },
	{ OP_REAP, .cpu = 0, .space = NOBODY },
};

/** htable_cut() does not collect. */
static const struct op theft_collects[] = {
	{ OP_ALLOC, .cpu = 1, .space = 4, .flags = 1 },
	{ OP_DEVLOAD, .cpu = 1, .space = 4, .va = 0x3fe01000, .n = 10, .frame = CHUNK(3, 208), .attr = 0xb },
	{ OP_REAP, .cpu = 0, .space = NOBODY },
	{ OP_REFAULT, .cpu = 0, .space = NOBODY },
	{ OP_REAP, .cpu = 1, .space = NOBODY },
};

/** htable_cut() empties half of a table. */
static const struct op theft_is_whole[] = {
	{ OP_ALLOC, .cpu = 1, .space = 3, .flags = 1 },
	{ OP_DEVLOAD, .cpu = 0, .space = 3, .va = 0x81ef000, .n = 3, .frame = CHUNK(3, 300), .attr = 0x9 },
	{ OP_LOAD, .cpu = 1, .space = 3, .va = 0x8000000, .n = 1, .frame = SMALL(212), .attr = 0xf },
	{ OP_REAP, .cpu = 0, .space = NOBODY },
};

static const struct {
	const struct op *ops;
	uint_t n;
} replays[] = {
#define REPLAY(ops) \
	{ \
		ops, NELEM(ops) \
	}
	REPLAY(reload_keeps_bits),
	REPLAY(sync_collects),
	REPLAY(waking_flushes_all),
	REPLAY(large_page_stays),
	REPLAY(theft_flushes),
	REPLAY(theft_collects),
	REPLAY(theft_is_whole),
};

void
test_replays(void)
{
	host_boot();
	history_begin();
	history_look_for_thieves(NULL);
	for (uint_t i = 0; i < NELEM(replays); i++)
		history_replay(replays[i].ops, replays[i].n);
}
