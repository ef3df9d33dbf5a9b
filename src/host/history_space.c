/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What histories happen in: address spaces, frames, and that all of it is given back.
 */
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <vm/page.h>

#define DEVICE_PA    0xe0000000ull  /* physical addresses without memory: 2 MiB pages */
#define GIANT_PA     0x100000000ull /* and 1 GiB pages */
#define LARGE_FRAMES (pfn_t)(LEVEL_SIZE(1) >> PAGESHIFT)

struct history history;

static pfn_t small[SMALL_FRAMES], chunk[CHUNKS];
static page_t *small_page[SMALL_FRAMES], *chunk_page[CHUNKS]; /* they are asked for in each step where memory is short */

page_t *
history_page(uint_t frame)
{
	if (FRAME_KIND(frame) == 0)
		return (small_page[FRAME_INDEX(frame)]);
	return (chunk_page[FRAME_INDEX(frame)] + FRAME_OFFSET(frame));
}

pfn_t
history_pfn(uint_t frame)
{
	uint_t i = FRAME_INDEX(frame);

	switch (FRAME_KIND(frame)) {
	case 0:
		return (small[i % SMALL_FRAMES]);
	case 1:
		return (chunk[i % CHUNKS] + FRAME_OFFSET(frame) % LARGE_FRAMES);
	case 2:
		return (pa_to_pfn(DEVICE_PA) + i * LARGE_FRAMES + FRAME_OFFSET(frame));
	default:
		return (pa_to_pfn(GIANT_PA) + i * (pfn_t)(1u << (30 - PAGESHIFT)));
	}
}

bool
history_asleep(int id)
{
	return ((cpu[id]->cpu_tlb_info & TLB_CPU_HALTED) != 0);
}

struct model *
history_running(void)
{
	for (uint_t i = 0; i < SPACES; i++)
		if (history.space[i].used && history.space[i].hat == CPU->cpu_current_hat)
			return (&history.space[i]);
	return (&history.kernel);
}

int
history_number(const struct model *m)
{
	return (m == &history.kernel ? KERNEL_SPACE : (int)(m - history.space));
}

struct model *
history_space(int number)
{
	if (number == KERNEL_SPACE)
		return (&history.kernel);
	if (number < 0 || number >= (int)SPACES || !history.space[number].used)
		return (NULL);
	return (&history.space[number]);
}

/* ------------------------------------------------------------------ beginning */

static void
frames_to_map(void)
{
	for (uint_t i = 0; i < SMALL_FRAMES; i++) {
		page_t *pp = page_get(PAGE_USER);

		expect(pp != NULL, "no page is free");
		small[i] = pp->p_pagenum;
		small_page[i] = pp;
	}
	for (uint_t i = 0; i < CHUNKS; i++) {
		page_t *pp = page_get_large(PAGE_USER, (uint_t)LARGE_FRAMES);

		expect(pp != NULL, "no large page is free");
		chunk[i] = pp->p_pagenum;
		chunk_page[i] = pp;
	}
}

/**
 * Some of the kernel's tables stay once they are made: have them made before anything is counted. And an address space, before
 * which nothing may be taken from anybody: memory must not be short earlier.
 */
static void
warm_up(void)
{
	(void)history_apply(&(struct op){ .kind = OP_ALLOC, .space = 0 });
	for (uint_t k = 0; k < history.kernel.nregions; k++) {
		const struct model_region *r = &history.kernel.region[k];

		for (uint_t i = 0; i < r->n; i += MAX((uint_t)LARGE_FRAMES >> (r->shift - PAGESHIFT), 1u)) {
			hat_devload(kas_hat, model_va(r, i), PAGESIZE, small[0], PROT_READ, HAT_LOAD);
			hat_unload(kas_hat, model_va(r, i), PAGESIZE, HAT_UNLOAD);
		}
	}
}

void
history_begin(void)
{
	model_init(&history.kernel, true);
	history.kernel.hat = kas_hat;
	frames_to_map();
	warm_up();
	history_compare();
	history_give_back();
}

/* ------------------------------------------------------------------ comparing all, and the end */

void
history_compare(void)
{
	int me = CPU->cpu_id;

	host_on(0);
	host_sound("after this step");
	model_compare(&history.kernel);
	for (uint_t i = 0; i < SPACES; i++)
		if (history.space[i].used)
			model_compare(&history.space[i]);
	host_on(me);
}

void
history_give_back(void)
{
	for (int id = 0; id < ncpus; id++)
		if (history_asleep(id))
			(void)history_apply(&(struct op){ .kind = OP_WAKE, .cpu = id, .space = NOBODY });
	host_on(0);
	for (int i = 0; i < (int)SPACES; i++)
		(void)history_apply(&(struct op){ .kind = OP_FREE, .space = i });
	for (uint_t k = 0; k < history.kernel.nregions; k++) {
		const struct model_region *r = &history.kernel.region[k];

		(void)history_apply(&(struct op){ .kind = OP_UNLOAD, .space = KERNEL_SPACE, .va = r->base, .n = r->n });
	}
}

void
history_expect_unmapped(void)
{
	for (uint_t i = 0; i < SMALL_FRAMES; i++)
		expect(hat_page_getshare(page_numtopp_nolock(small[i])) == 0, "page 0x%lx is still on a mapping list", small[i]);
	for (uint_t i = 0; i < CHUNKS * LARGE_FRAMES; i++)
		expect(hat_page_getshare(page_numtopp_nolock(chunk[i / LARGE_FRAMES] + i % LARGE_FRAMES)) == 0,
		    "page 0x%lx is still on a mapping list", chunk[i / LARGE_FRAMES] + i % LARGE_FRAMES);
}
