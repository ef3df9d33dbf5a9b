/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The world of the scenarios: boot, pages and address spaces; what is judged after each of them.
 */
#include <host/sched/scene.h>
#include <check/invariants.h>
#include <sys/string.h>
#include <memmap.h>

hat_t *space, *client[2];
struct as wide, narrow = { .a_32bit = true };
page_t *page[PAGES];
volatile uint32_t flag;

static const struct scene *now;

static const struct scene *const tables[] = { scenes_tables, scenes_entries, scenes_lives };


static const struct scene *
find(const char *name)
{
	for (uint_t t = 0; t < NELEM(tables); t++)
		for (const struct scene *s = tables[t]; s->name != NULL; s++)
			if (strcmp(s->name, name) == 0 && (s->only == 0 || s->only == sizeof(void *)))
				return (s);
	return (NULL);
}

const char *
scene_name(unsigned n)
{
	for (uint_t t = 0; t < NELEM(tables); t++)
		for (const struct scene *s = tables[t]; s->name != NULL; s++)
			if ((s->only == 0 || s->only == sizeof(void *)) && n-- == 0)
				return (s->name);
	return (NULL);
}

unsigned
scene_cpus(const char *name)
{
	const struct scene *s = find(name);

	return (s == NULL ? 0 : s->cpus);
}

/* ------------------------------------------------------------------ what scenarios use */

void
world_runs(hat_t *hat, cpuset_t cpus)
{
	for (int id = 0; id < ncpus; id++)
		if (cpus & CPUSET(id)) {
			host_on(id);
			hat_setup(hat);
		}
	host_on(0);
}

page_t *
world_access(uintptr_t va, bool write)
{
	paddr_t pa;

	if (mmu_access(va, MMU_USER | (write ? MMU_WRITE : 0), &pa) != 0)
		return (NULL);
	return (page_numtopp_nolock(pa_to_pfn(pa)));
}

static void
end_space(hat_t *hat)
{
	if (hat != NULL && !(hat->hat_flags & HAT_FREEING))
		host_free_space(hat);
}

/** Clients first: a source goes last. */
void
world_end(void)
{
	world_runs(NULL, CPUSET(ncpus) - 1);
	end_space(client[0]);
	end_space(client[1]);
	end_space(space);
	host_sound("after the end of all");
}

/* ------------------------------------------------------------------ one scenario */

static void
part(int id)
{
	host_on(id);
	now->part[id]();
}

static void
judge(void)
{
	for (int id = 0; id < ncpus; id++) {
		host_on(id);
		host_may_block("a CPU at the end of its part");
		expect(curthread->t_hatdepth == 0 && CPU->cpu_intr_depth == 0, "CPU %d is still at work", id);
	}
	host_on(0);
	if (now->judge != NULL)
		now->judge();
	host_sound("after all CPUs are done");
	world_end();
}

static void
make_world(void)
{
	machine_init(HOST_RAM);
	machine_windows(WINDOW_BASE, HOST_PAGES - WINDOW_BASE + HOST_NPAGES * PAGESIZE);
	host_boot();
	for (uint_t i = 0; i < PAGES; i++)
		page[i] = page_get(PAGE_USER);
	space = hat_alloc(&wide);
	sched_ignore(&hatstat, sizeof(hatstat));
}

/** Flags and CPUs change atomically, the cached stack and counts of tables under their locks; each is looked at before that. */
static void
hints(hat_t *hat)
{
	if (hat == NULL)
		return;
	sched_hint(&hat->hat_flags, sizeof(hat->hat_flags));
	sched_hint(&hat->hat_ht_cached, sizeof(hat->hat_ht_cached));
	sched_hint(&hat->hat_cpus, sizeof(hat->hat_cpus));
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		sched_hint(&hat->hat_chains[k].hc_count, sizeof(hat->hat_chains[k].hc_count));
}

int
scene_run(const char *name, const struct machine_options *machine)
{
	now = find(name);
	host_options = machine;
	make_world();
	if (now->prepare != NULL)
		now->prepare();
	hints(kas_hat);
	sched_hint(
	    &htable_steal_passes, sizeof(htable_steal_passes)); /* put right by whoever reads it, always to the same number */
	hints(space);
	hints(client[0]);
	hints(client[1]);
	return (sched_explore(name, now->cpus, part, judge));
}
