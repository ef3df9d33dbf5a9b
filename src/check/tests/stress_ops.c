/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What a worker of the stress test does in one step, and what becomes of the model.
 */
#include "stress_impl.h"
#include <sys/kmem.h>
#include <sys/thread.h>

hat_t *source;
volatile uint32_t source_users;
uint32_t source_has;

/* ------------------------------------------------------------------ some slots of one region */

/** What a step works on: a range of slots. */
struct range {
	struct space *sp;
	struct region *r;
	uint_t from, n;
	uintptr_t va;
	size_t len;
};

static struct range
range_of(struct worker *w, struct space *sp, struct region *r, uint_t most)
{
	struct range g = { .sp = sp, .r = r, .from = stress_random(w, r->r_nslots) };

	g.n = 1 + stress_random(w, MIN(most, r->r_nslots - g.from));
	g.va = slot_va(r, g.from);
	g.len = g.n * r->r_step;
	return (g);
}

/** One where something should be mapped, rather than not. */
static uint_t
some_slot(struct worker *w, const struct region *r)
{
	uint_t i = stress_random(w, r->r_nslots);

	for (uint_t turn = 0; turn < 3 && r->r_slot[i].s_frame < 0; turn++)
		i = stress_random(w, r->r_nslots);
	return (i);
}

static uint_t
random_attr(struct worker *w)
{
	return ((stress_random(w, 2) ? RWU : RU) | (stress_random(w, 3) == 0 ? PROT_EXEC : 0));
}

static void
fill_slot(struct worker *w, const struct region *r, struct slot *s)
{
	bool large = r->r_step > PAGESIZE;

	s->s_frame = (int16_t)(large ? FIRST_GROUP + stress_random(w, NGROUPS) : stress_random(w, NPAGES));
	s->s_raw = stress_random(w, 8) == 0;
	s->s_attr = random_attr(w) | (!s->s_raw && stress_random(w, 8) == 0 ? HAT_NOSYNC : 0);
}

/* New, or once more with other permissions; locked now and then, and then its frame stays held. */
static void
load_one(struct worker *w, struct space *sp, struct region *r)
{
	uint_t i = stress_random(w, r->r_nslots);
	struct slot *s = &r->r_slot[i];
	bool new = s->s_frame < 0, look = !new &&stress_random(w, 2);
	bool lock = s->s_locks < 3 && stress_random(w, 6) == 0 && !stress_tight;

	if (new)
		fill_slot(w, r, s);
	if (!frame_hold(&frames[s->s_frame])) {
		w->w_skipped++;
		if (new)
			s->s_frame = -1;
		return;
	}
	if (look)
		slot_touch(w, sp, r, i, true); /* so that the old one is in this CPU's TLB */
	if (!new)
		s->s_attr = random_attr(w) | (s->s_attr & HAT_NOSYNC);
	if (new && !s->s_raw && r->r_step > PAGESIZE &&stress_random(w, 32) == 0)
		group_load_small(w, sp, r, i);
	slot_load(w, sp, r, i, lock ? HAT_LOAD_LOCK : HAT_LOAD);
	if (look)
		slot_touch(w, sp, r, i, true);
	if (lock)
		s->s_locks++;
	else
		frame_drop(&frames[s->s_frame]);
}

static void
do_load(struct worker *w, struct space *sp, struct region *r)
{
	for (uint_t n = 1 + (r->r_step > PAGESIZE ? 0 : stress_random(w, 6)); n > 0; n--)
		load_one(w, sp, r);
}

static void
unlock_slots(struct worker *w, const struct range *g)
{
	for (uint_t i = g->from; i < g->from + g->n; i++)
		for (uint_t k = 0; k < g->r->r_slot[i].s_locks; k++)
			DO(w, UNLOCK, hat_unlock(g->sp->sp_hat, slot_va(g->r, i), g->r->r_step));
}

static void
clear_slots(const struct range *g)
{
	for (uint_t i = g->from; i < g->from + g->n; i++)
		slot_clear(&g->r->r_slot[i]);
}

/** What a callback must have heard of. */
struct told {
	struct worker *w;
	const struct range *g;
	size_t bytes;
};

static void
tell(hat_callback_t *cb)
{
	struct told *t = cb->hcb_arg;

	if (cb->hcb_start < t->g->va || cb->hcb_end > t->g->va + t->g->len || cb->hcb_start >= cb->hcb_end)
		stress_fail(
		    t->w, "told of 0x%lx-0x%lx, unloaded 0x%lx-0x%lx", cb->hcb_start, cb->hcb_end, t->g->va, t->g->va + t->g->len);
	t->bytes += cb->hcb_end - cb->hcb_start;
}

static size_t
bytes_that_must(const struct range *g)
{
	size_t n = 0;

	for (uint_t i = g->from; i < g->from + g->n; i++) {
		struct slot *s = &g->r->r_slot[i];
		struct frame *f = s->s_frame < 0 ? NULL : &frames[s->s_frame];

		if (f != NULL && frame_hold(f)) {
			n += slot_must(s) ? g->r->r_step : 0;
			frame_drop(f);
		}
	}
	return (n);
}

/* Pages may be unloaded everywhere meanwhile, so what must have been there is a matter of small ranges that nobody else wants. */
static void
unload_and_hear(struct worker *w, const struct range *g)
{
	struct told t = { .w = w, .g = g };
	hat_callback_t cb = { .hcb_func = tell, .hcb_arg = &t };
	struct slot *s = &g->r->r_slot[g->from];
	bool held = g->n == 1 && s->s_frame >= 0 && frame_hold(&frames[s->s_frame]);
	size_t want = held && stress_exact ? bytes_that_must(g) : 0;

	DO(w, UNLOAD_CALLBACK, hat_unload_callback(g->sp->sp_hat, g->va, g->len, HAT_UNLOAD, &cb));
	if (held)
		frame_drop(&frames[s->s_frame]);
	if (t.bytes < want)
		stress_fail(w, "told of %lu bytes unloaded at 0x%lx, want %lu", (ulong_t)t.bytes, g->va, (ulong_t)want);
}

/* One page whose accessed and dirty bits nobody wants: the page is not to be believed dirty any more. */
static void
unload_nosync(struct worker *w, const struct range *g)
{
	struct slot *s = &g->r->r_slot[g->from];
	struct frame *f = s->s_frame < 0 ? NULL : &frames[s->s_frame];

	if (f == NULL || !frame_hold(f))
		return;
	DO(w, UNLOAD, hat_unload(g->sp->sp_hat, g->va, g->len, HAT_UNLOAD_NOSYNC));
	for (uint_t m = 0; m < f->f_nmarks; m++)
		f->f_dirty[m] = 0;
	frame_drop(f);
}

static void
do_unload(struct worker *w, struct space *sp, struct region *r)
{
	struct range g = range_of(w, sp, r, stress_random(w, 4) == 0 ? NSLOTS : 2);
	struct slot *first = &r->r_slot[g.from];
	uint_t how = stress_random(w, 8);

	if (g.n == 1 && first->s_locks == 1 && how < 4) {
		DO(w, UNLOAD, hat_unload(sp->sp_hat, g.va, g.len, HAT_UNLOAD_UNLOCK));
	} else {
		unlock_slots(w, &g);
		if (g.n == 1 && how == 0)
			unload_nosync(w, &g);
		if (how == 1)
			unload_and_hear(w, &g);
		else
			DO(w, UNLOAD, hat_unload(sp->sp_hat, g.va, g.len, HAT_UNLOAD));
	}
	clear_slots(&g);
	slot_ask(w, sp, r, g.from);
	slot_touch(w, sp, r, g.from + g.n - 1, false);
}

static void
do_unlock(struct worker *w, struct space *sp, struct region *r)
{
	uint_t i = stress_random(w, r->r_nslots);
	struct slot *s = &r->r_slot[i];

	if (s->s_locks == 0)
		return;
	DO(w, UNLOCK, hat_unlock(sp->sp_hat, slot_va(r, i), r->r_step));
	s->s_locks--;
	frame_drop(&frames[s->s_frame]);
}

/* ------------------------------------------------------------------ permissions */

enum how { PROTECT, CHANGE, SET, CLEAR };

static uint_t
changed_attr(uint_t old, enum how how, uint_t attr)
{
	uint_t all = PROT_WRITE | PROT_EXEC | HAT_NOSYNC;

	switch (how) {
	case PROTECT:
		all &= ~(uint_t)HAT_NOSYNC;
		break;
	case SET:
		return (old | (attr & all));
	case CLEAR:
		return (old & ~(attr & all));
	case CHANGE:
		break;
	}
	return ((old & ~all) | (attr & all));
}

/* Only recorded ones change. */
static void
change_slots(const struct range *g, enum how how, uint_t attr)
{
	for (uint_t i = g->from; i < g->from + g->n; i++) {
		struct slot *s = &g->r->r_slot[i];

		if (s->s_frame >= 0 && !s->s_raw)
			s->s_attr = changed_attr(s->s_attr, how, attr);
	}
}

static void
do_protect(struct worker *w, struct space *sp, struct region *r)
{
	struct range g = range_of(w, sp, r, stress_random(w, 4) == 0 ? NSLOTS : 2);
	enum how how = stress_random(w, 4);
	uint_t attr = random_attr(w) | (stress_random(w, 8) == 0 ? HAT_NOSYNC : 0);

	switch (how) {
	case PROTECT:
		DO(w, CHGPROT, hat_chgprot(sp->sp_hat, g.va, g.len, attr & HAT_PROT_MASK));
		break;
	case CHANGE:
		DO(w, CHGATTR, hat_chgattr(sp->sp_hat, g.va, g.len, attr));
		break;
	case SET:
		DO(w, SETATTR, hat_setattr(sp->sp_hat, g.va, g.len, attr));
		break;
	case CLEAR:
		DO(w, CLRATTR, hat_clrattr(sp->sp_hat, g.va, g.len, attr));
		break;
	}
	change_slots(&g, how, attr);
	slot_ask(w, sp, r, g.from);
	slot_touch(w, sp, r, g.from + g.n - 1, true);
}

static void
do_sync(struct worker *w, struct space *sp, struct region *r)
{
	struct range g = range_of(w, sp, r, NSLOTS);

	DO(w, SYNC, hat_sync(sp->sp_hat, g.va, g.len, stress_random(w, 2) ? HAT_SYNC_ZERORM : HAT_SYNC_DONTZERO));
}

static void
do_look(struct worker *w, struct space *sp, struct region *r)
{
	for (uint_t n = 0; n < 4; n++)
		slot_ask(w, sp, r, some_slot(w, r));
}

static void
do_touch(struct worker *w, struct space *sp, struct region *r)
{
	for (uint_t n = 0; n < 4; n++)
		slot_touch(w, sp, r, some_slot(w, r), stress_random(w, 2) != 0);
}

/** Do something to a region of this space, if nobody else is there. */
static void
in_region(struct worker *w, struct space *sp, void (*func)(struct worker *, struct space *, struct region *))
{
	uint_t n = stress_random(w, 4 * NREGIONS - 3) / 4; /* large pages: one of four */
	struct region *r = &sp->sp_region[n];

	if (!mutex_tryenter(&r->r_lock)) {
		w->w_skipped++;
		return;
	}
	func(w, sp, r);
	mutex_exit(&r->r_lock);
}

/* ------------------------------------------------------------------ all mappings of a page */

static uint_t
collect(struct worker *w, struct frame *f, uint_t m, uint_t flags)
{
	uint_t bits = ASK(w, PAGESYNC, hat_pagesync(f->f_page + mark_page(f, m), flags));

	if (f->f_dirty[m] && !(bits & P_MOD))
		stress_fail(w, "page 0x%lx was written, and its dirty bit is lost", f->f_page->p_pagenum + mark_page(f, m));
	return (bits);
}

static void
page_unload(struct worker *w, struct frame *f)
{
	uint_t n = mark_page(f, stress_random(w, f->f_nmarks)), left;
	page_t *pp = f->f_page + n;

	if (n != 0)
		(void)page_trylock(pp, true);
	(void)ASK(w, PAGEUNLOAD, hat_pageunload(pp, HAT_FORCE_PGUNLOAD));
	f->f_gen++;
	left = ASK(w, PAGE_GETSHARE, hat_page_getshare(pp));
	if (left != 0)
		stress_fail(w, "page 0x%lx has %u mappings after hat_pageunload()", pp->p_pagenum, left);
	if (n != 0)
		page_unlock(pp);
	for (uint_t m = 0; m < f->f_nmarks; m++)
		(void)collect(w, f, m, HAT_SYNC_DONTZERO);
}

static void
page_clean(struct worker *w, struct frame *f)
{
	for (uint_t m = 0; m < f->f_nmarks; m++) {
		(void)collect(w, f, m, HAT_SYNC_ZERORM);
		DO(w, PAGE_CLRATTR, hat_page_clrattr(f->f_page + mark_page(f, m), P_REF | P_MOD));
		f->f_dirty[m] = 0;
	}
}

static void
step_page(struct worker *w)
{
	struct frame *f = &frames[stress_random(w, NPAGES + NGROUPS)];
	uint_t what = stress_random(w, 4);

	if (!page_trylock(f->f_page, true)) {
		w->w_skipped++;
		return;
	}
	if (what < 2)
		page_unload(w, f);
	else
		page_clean(w, f);
	page_unlock(f->f_page);
}

static void
demote(struct worker *w, struct frame *f)
{
	uint_t n = mark_page(f, stress_random(w, NMARKS));

	for (uint_t i = 0; i < f->f_npages; i++)
		(void)page_trylock(f->f_page + i, true);
	DO(w, PAGE_DEMOTE, hat_page_demote(f->f_page + n));
	for (uint_t i = 0; i < f->f_npages; i++)
		(void)ASK(w, PAGEUNLOAD, hat_pageunload(f->f_page + i, HAT_FORCE_PGUNLOAD));
	for (uint_t m = 0; m < f->f_nmarks; m++)
		(void)collect(w, f, m, HAT_SYNC_DONTZERO);
	for (uint_t i = 0; i < f->f_npages; i++) {
		if (f->f_page[i].p_szc != 0 || f->f_page[i].p_mapping != NULL)
			stress_fail(w, "page 0x%lx has size code %u, mapping %p after hat_page_demote()", f->f_page[i].p_pagenum,
			    f->f_page[i].p_szc, f->f_page[i].p_mapping);
		f->f_page[i].p_szc = 1;
		page_unlock(f->f_page + i);
	}
	f->f_gen++;
}

/* A group with locked mappings is somebody's. */
void
groups_demote(struct worker *w)
{
	struct frame *f = &frames[FIRST_GROUP + stress_random(w, NGROUPS)];

	if (!page_trylock(f->f_page, true))
		return;
	demote(w, f);
}

/* ------------------------------------------------------------------ whole spaces */

static void
space_unshare(struct worker *w, struct space *sp)
{
	if (sp->sp_share_va == 0)
		return;
	DO(w, UNSHARE, hat_unshare(sp->sp_hat, sp->sp_share_va, LARGE, 0));
	sp->sp_share_va = 0;
}

/* Who takes a page away from everybody may be between an entry that is clear and its counts: hat_free_end() waits for him too. */
static void
check_empty(const struct worker *w, const hat_t *hat)
{
	while (hat->hat_guests != 0)
		thread_yield();
	for (level_t l = 0; l <= MAX_PAGE_LEVEL; l++)
		if (hat->hat_pages_mapped[l] != 0)
			stress_fail(w, "%lu pages of level %d are left in an empty address space", hat->hat_pages_mapped[l], l);
	if (hat->hat_ism_pgcnt != 0)
		stress_fail(w, "%lu shared pages are left in an empty address space", hat->hat_ism_pgcnt);
}

void
space_destroy(struct worker *w, struct space *sp)
{
	DO(w, FREE_START, hat_free_start(sp->sp_hat));
	for (uint_t n = 0; n < NREGIONS; n++) {
		struct region *r = &sp->sp_region[n];
		struct range g = { sp, r, 0, r->r_nslots, r->r_va, r->r_nslots * r->r_step };

		unlock_slots(w, &g);
		DO(w, UNLOAD, hat_unload(sp->sp_hat, g.va, g.len, HAT_UNLOAD));
		clear_slots(&g);
	}
	space_unshare(w, sp);
	check_empty(w, sp->sp_hat);
	DO(w, FREE_END, hat_free_end(sp->sp_hat));
	sp->sp_hat = NULL;
}

/* Whoever runs it leaves at his next step; nobody waits for us, not even those who run each other's. */
static void
step_destroy(struct worker *w, struct space *sp)
{
	if (sp->sp_hat == NULL)
		return;
	worker_go_home(w);
	sp->sp_evict = 1;
	while (sp->sp_residents != 0)
		thread_yield();
	space_destroy(w, sp);
	sp->sp_evict = 0;
}

/* As fork() does: nobody may write any more, and the child sees what the parent has. */
static void
fork_region(struct worker *w, struct space *parent, struct space *child, uint_t n)
{
	struct region *r = &parent->sp_region[n], *c = &child->sp_region[n];
	struct range g = { parent, r, 0, r->r_nslots, r->r_va, r->r_nslots * r->r_step };

	DO(w, CHGPROT, hat_chgprot(parent->sp_hat, g.va, g.len, RU));
	change_slots(&g, PROTECT, RU);
	for (uint_t i = 0; i < r->r_nslots; i++) {
		struct slot *s = &r->r_slot[i];

		if (s->s_frame < 0 || s->s_raw || !frame_hold(&frames[s->s_frame]))
			continue;
		c->r_slot[i] = (struct slot){ .s_frame = s->s_frame, .s_attr = s->s_attr };
		slot_load(w, child, c, i, HAT_LOAD);
		frame_drop(&frames[s->s_frame]);
	}
	slot_touch(w, parent, r, stress_random(w, r->r_nslots), true);
}

/* The child is ours alone and may still be empty; a wide parent does not fit into a narrow child. */
static void
step_fork(struct worker *w, struct space *child)
{
	struct space *parent = &spaces[stress_random(w, NSPACES)];

	if (parent == child || parent->sp_as.a_32bit != child->sp_as.a_32bit || !users_enter(&parent->sp_users))
		return;
	for (uint_t n = 0; n < NREGIONS && parent->sp_hat != NULL; n++) {
		if (!mutex_tryenter(&parent->sp_region[n].r_lock))
			continue;
		fork_region(w, parent, child, n);
		mutex_exit(&parent->sp_region[n].r_lock);
	}
	users_exit(&parent->sp_users);
}

static void
step_create(struct worker *w, struct space *sp)
{
	if (sp->sp_hat != NULL)
		return;
	sp->sp_hat = ASK(w, ALLOC, hat_alloc(&sp->sp_as));
	if (stress_random(w, 2))
		step_fork(w, sp);
}

/* What shares a table with a locked mapping stays, or not. */
static void
step_swapout(struct worker *w, struct space *sp)
{
	if (sp->sp_hat == NULL)
		return;
	DO(w, SWAPOUT, hat_swapout(sp->sp_hat));
	for (uint_t n = 0; n < NREGIONS; n++)
		for (uint_t i = 0; i < sp->sp_region[n].r_nslots; i++)
			sp->sp_region[n].r_slot[i].s_loose = true;
}

/* ------------------------------------------------------------------ sharing */

static uintptr_t
source_va(uint_t n)
{
	return (SHARE_VA + n * PAGESIZE);
}

static void
source_load(struct worker *w, uint_t n)
{
	(void)frame_hold(&frames[FIRST_SOURCE + n]);
	DO(w, MEMLOAD, hat_memload(source, source_va(n), frames[FIRST_SOURCE + n].f_page, RWU, HAT_LOAD_SHARE | HAT_LOAD_LOCK));
	source_has |= 1u << n;
}

static void
source_unload(struct worker *w, uint_t n)
{
	DO(w, UNLOAD, hat_unload(source, source_va(n), PAGESIZE, HAT_UNLOAD_UNLOCK));
	frame_drop(&frames[FIRST_SOURCE + n]);
	source_has &= ~(1u << n);
}

void
source_make(struct worker *w)
{
	source = ASK(w, ALLOC, hat_alloc(NULL));
	for (uint_t n = 0; n < NSOURCE; n++)
		source_load(w, n);
}

void
source_destroy(struct worker *w)
{
	for (uint_t n = 0; n < NSOURCE; n++)
		if (source_has & (1u << n))
			source_unload(w, n);
	DO(w, FREE_START, hat_free_start(source));
	check_empty(w, source);
	DO(w, FREE_END, hat_free_end(source));
}

/* A page of the source goes or comes, under the eyes of all clients. The first one stays: without it no table is shared. */
static void
step_source(struct worker *w)
{
	uint_t n = 1 + stress_random(w, NSOURCE - 1);

	if (!users_enter_alone(&source_users)) {
		w->w_skipped++;
		return;
	}
	if (source_has & (1u << n))
		source_unload(w, n);
	else
		source_load(w, n);
	users_exit_alone(&source_users);
}

static void
look_at_share(struct worker *w, struct space *sp)
{
	uint32_t has = sp->sp_share_va == SHARE_VA ? source_has : sp->sp_share_has;

	worker_visit(w, sp);
	for (uint_t k = 0; k < 4; k++) {
		uint_t n = stress_random(w, NSOURCE);

		source_touch(w, sp->sp_hat, sp->sp_share_va + n * PAGESIZE, n, (has >> n & 1) != 0);
	}
}

static void
change_share(struct worker *w, struct space *sp)
{
	if (sp->sp_share_va != 0) {
		space_unshare(w, sp);
		return;
	}
	sp->sp_share_va = stress_random(w, 2) ? SHARE_VA : ODD_VA;
	sp->sp_share_has = source_has;
	(void)ASK(w, SHARE, hat_share(sp->sp_hat, sp->sp_share_va, source, SHARE_VA, LARGE, 0));
}

static void
do_share(struct worker *w, struct space *sp)
{
	if (!mutex_tryenter(&sp->sp_share_lock)) {
		w->w_skipped++;
		return;
	}
	if (users_enter(&source_users)) {
		if (stress_random(w, 3) == 0)
			change_share(w, sp);
		if (sp->sp_share_va != 0)
			look_at_share(w, sp);
		users_exit(&source_users);
	}
	mutex_exit(&sp->sp_share_lock);
}

/* ------------------------------------------------------------------ thieves */

static void
step_steal(struct worker *w)
{
	htable_t *ht = ASK(w, STEAL, htable_steal(1 + stress_random(w, 3))), *next;

	for (; ht != NULL; ht = next) {
		next = ht->ht_next;
		htable_free(ht);
	}
}

static void
step_theft(struct worker *w)
{
	uint_t what = stress_random(w, 16);

	if (!stress_theft)
		return;
	if (what > 1)
		step_steal(w);
	else if (what == 1)
		DO(w, REAP, htable_reap(NULL));
	else
		kmem_reap();
}

/* ------------------------------------------------------------------ choosing */

static struct space *
some_space(struct worker *w)
{
	return (w->w_home != NULL && stress_random(w, 2) ? w->w_home : &spaces[stress_random(w, NSPACES)]);
}

/** Among others. */
static void
in_space(struct worker *w, uint_t what)
{
	static const struct {
		uint_t upto;
		void (*func)(struct worker *, struct space *, struct region *);
	} steps[] = { { 60, do_load }, { 100, do_unload }, { 110, do_unlock }, { 135, do_protect }, { 142, do_sync },
		{ 170, do_look }, { 215, do_touch } };
	struct space *sp = some_space(w);
	uint_t n = 0;

	if (!users_enter(&sp->sp_users)) {
		w->w_skipped++;
		return;
	}
	while (n < NELEM(steps) && what >= steps[n].upto)
		n++;
	if (sp->sp_hat != NULL && n < NELEM(steps))
		in_region(w, sp, steps[n].func);
	else if (sp->sp_hat != NULL)
		do_share(w, sp);
	users_exit(&sp->sp_users);
}

static void
alone_in_space(struct worker *w, void (*func)(struct worker *, struct space *))
{
	struct space *sp = &spaces[stress_random(w, NSPACES)];

	if (!users_enter_alone(&sp->sp_users)) {
		w->w_skipped++;
		return;
	}
	func(w, sp);
	users_exit_alone(&sp->sp_users);
}

void
stress_step(struct worker *w)
{
	uint_t what = stress_random(w, 256);

	w->w_steps++;
	if (w->w_home != NULL && (w->w_home->sp_evict || stress_random(w, 16) == 0))
		worker_go_home(w);
	if (what < 228)
		in_space(w, what);
	else if (what < 236)
		step_page(w);
	else if (what < 239)
		step_source(w);
	else if (what < 242)
		alone_in_space(w, step_create);
	else if (what == 242)
		alone_in_space(w, step_destroy);
	else if (what == 243)
		alone_in_space(w, step_swapout);
	else if (what < 252)
		step_theft(w);
	else
		thread_yield();
}
