/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The model's side of a drill (check/drill.h): beside the HAT, to see that they agree; and alone, to say what a kernel must have.
 */
#include <check/drill.h>
#include <host/host.h>
#include <host/mmu.h>
#include <host/model.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <vm/page.h>

static struct model spaces[DRILL_SPACES];
static bool alone; /* there are no frames, and each stands for itself */

static pfn_t
frame(const struct drill_step *st, uint_t i)
{
	uint_t code = st->ds_frame < DRILL_SMALL ? (st->ds_frame + i) % DRILL_SMALL : st->ds_frame + i;

	return (alone ? code : drill_pfn(code));
}

/** [va, va + len) as units of a region. */
static struct model_region *
units(const struct drill_step *st, uint_t *first, uint_t *end)
{
	struct model_region *r;

	expect(model_find(&spaces[st->ds_space], st->ds_va, &r) != NULL, "0x%lx is in no region of the model", (ulong_t)st->ds_va);
	*first = (uint_t)((st->ds_va - r->base) >> PAGESHIFT);
	*end = *first + (uint_t)(st->ds_len >> PAGESHIFT);
	expect(*end <= r->n, "the step at 0x%lx leaves its region", (ulong_t)st->ds_va);
	return (r);
}

/** The first unit of the next leaf. */
static uint_t
after(const struct model_region *r, uint_t i)
{
	return (i + (r->page[i].level >= 0 ? model_units(r, r->page[i].level) : 1));
}

static void
unload(const struct drill_step *st)
{
	uint_t i, end;
	struct model_region *r = units(st, &i, &end);

	while (i < end)
		i = model_unmap(&spaces[st->ds_space], r, i);
}

static void
load(const struct drill_step *st)
{
	struct model *m = &spaces[st->ds_space];
	uint_t first, end;
	struct model_region *r = units(st, &first, &end);
	struct model_page new = { .attr = (uint16_t)st->ds_attr };

	unload(st);
	if (st->ds_kind == DRILL_LARGE) {
		new.level = model_level(m, st->ds_va, frame(st, 0), st->ds_len);
		for (uint_t i = first; i < end; i += model_units(r, new.level)) {
			new.pfn = frame(st, i - first);
			model_map(m, r, i, &new);
		}
		return;
	}
	for (uint_t i = 0; i < st->ds_pages; i++) {
		new.pfn = frame(st, i);
		model_map(m, r, first + st->ds_skip + i, &new);
	}
}

static uint_t
changed(const struct drill_step *st, uint_t old)
{
	switch (st->ds_kind) {
	case DRILL_SETATTR:
		return (model_setattr(old, st->ds_attr));
	case DRILL_CLRATTR:
		return (model_clrattr(old, st->ds_attr));
	case DRILL_CHGATTR:
		return (model_chgattr(old, st->ds_attr));
	default:
		return (model_chgprot(old, st->ds_attr));
	}
}

static void
change(const struct drill_step *st)
{
	uint_t i, end;
	struct model_region *r = units(st, &i, &end);

	for (; i < end; i = after(r, i))
		if (r->page[i].level >= 0)
			model_change(r, i, changed(st, r->page[i].attr));
}

static void
sync(const struct drill_step *st)
{
	uint_t i, end;
	struct model_region *r = units(st, &i, &end);

	for (; i < end && st->ds_attr == HAT_SYNC_ZERORM; i = after(r, i))
		if (r->page[i].level >= 0 && !(r->page[i].attr & HAT_NOSYNC))
			r->page[i].ref = r->page[i].mod = false;
}

/** Only small pages have such a frame. */
static void
unload_page(const struct drill_step *st)
{
	for (uint_t s = 0; s < DRILL_SPACES; s++)
		for (uint_t k = 0; k < spaces[s].nregions; k++) {
			struct model_region *r = &spaces[s].region[k];

			for (uint_t i = 0; i < r->n; i++)
				if (r->page[i].level >= 0 && r->page[i].pfn == frame(st, 0))
					(void)model_unmap(&spaces[s], r, i);
		}
}

static void
touch_unit(const struct model *m, struct model_region *r, uint_t i, bool write)
{
	struct model_page *p;

	if (!model_allows(m, &r->page[i], write ? MMU_WRITE : 0))
		return;
	p = model_leaf(r, i);
	p->ref = true;
	p->mod |= write;
}

static void
touch(const struct drill_step *st)
{
	uint_t first, end;
	struct model_region *r = units(st, &first, &end);

	touch_unit(&spaces[st->ds_space], r, first + st->ds_skip, (st->ds_attr & PROT_WRITE) != 0);
}

/** What the second load allows, and what the write has left. */
static void
load_again(const struct drill_step *st)
{
	uint_t first, end;
	struct model_region *r = units(st, &first, &end);

	load(st);
	first += st->ds_skip;
	touch_unit(&spaces[st->ds_space], r, first, true);
	for (uint_t i = first; i < first + st->ds_pages; i++)
		r->page[i].attr = (uint16_t)drill_again(st);
}

static void
renew(const struct drill_step *st)
{
	model_clear(&spaces[st->ds_space]);
}

static void (*const does[DRILL_NKINDS])(const struct drill_step *) = {
	[DRILL_LOAD] = load,
	[DRILL_ARRAY] = load,
	[DRILL_AGAIN] = load_again,
	[DRILL_LARGE] = load,
	[DRILL_UNLOAD] = unload,
	[DRILL_SETATTR] = change,
	[DRILL_CLRATTR] = change,
	[DRILL_CHGATTR] = change,
	[DRILL_CHGPROT] = change,
	[DRILL_SYNC] = sync,
	[DRILL_PAGEUNLOAD] = unload_page,
	[DRILL_TOUCH] = touch,
	[DRILL_RENEW] = renew,
};

static void
begin(void)
{
	for (uint_t s = 0; s < DRILL_SPACES; s++) {
		spaces[s].as.a_32bit = s == 1;
		model_init(&spaces[s], false);
	}
}

/* ------------------------------------------------------------------ beside the HAT */

static bool touching;

static void *
through_mmu(uintptr_t va, uint_t how, bool *fault)
{
	paddr_t pa = 0;

	if (!touching) /* but the checkers read the host's memory */
		return (NULL);
	*fault = mmu_access(va, how, &pa) != 0;
	return (*fault ? NULL : machine_phys(pa));
}

static void
compare(void)
{
	for (uint_t s = 0; s < DRILL_SPACES; s++) {
		spaces[s].hat = drill_hat(s);
		model_compare(&spaces[s]);
	}
	host_sound("after this step");
}

void
test_drill(void)
{
	ulong_t free;

	host_boot();
	free = freemem + active_ptables;
	host_reach = through_mmu;
	begin();
	drill_begin();
	for (ulong_t n = 0; n < host_options->steps; n++) {
		struct drill_step st = drill_choose(host_options->seed, n);

		touching = st.ds_kind == DRILL_TOUCH || st.ds_kind == DRILL_AGAIN;
		drill_do(&st);
		touching = false;
		does[st.ds_kind](&st);
		if ((n + 1) % MIN(host_options->every, 16) == 0 || n + 1 == host_options->steps)
			compare();
	}
	drill_end();
	expect(freemem + active_ptables == free, "of %lu pages and tables %lu are left", free, freemem + active_ptables);
	host_sound("at the end");
}

/* ------------------------------------------------------------------ alone */

static void
print_leaves(uint_t s)
{
	for (uint_t k = 0; k < spaces[s].nregions; k++) {
		const struct model_region *r = &spaces[s].region[k];

		for (uint_t i = 0; i < r->n; i = after(r, i))
			if (r->page[i].level >= 0)
				printf("leaf space=%u va=0x%lx level=%d frame=0x%lx bits=0x%llx\n", s, (ulong_t)model_va(r, i),
				    r->page[i].level, r->page[i].pfn, (unsigned long long)model_bits(&spaces[s], &r->page[i]));
	}
}

/** For a grader (hatlab/oracle.py): what is mapped after so many steps of the drill of this seed. No HAT takes part in it. */
void
test_oracle(void)
{
	host_boot();
	alone = true;
	begin();
	for (ulong_t n = 0; n < host_options->steps; n++) {
		struct drill_step st = drill_choose(host_options->seed, n);

		does[st.ds_kind](&st);
	}
	for (uint_t s = 0; s < DRILL_SPACES; s++)
		print_leaves(s);
	printf("end keeps=%d\n", mmu.max_page_level); /* empty tables from there on may stay (spec 4.5) */
}
