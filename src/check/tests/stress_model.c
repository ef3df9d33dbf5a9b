/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What must be mapped, and whether it is: the model of the stress test.
 *
 * Each marked page begins with its own name, and has one word for each worker, which that worker alone writes, through whatever
 * mapping it has. It knows what it has written, so a lost write, another page's translation, or a translation that should be
 * gone are noticed by the next look; and what another worker has finished writing must be seen too.
 */
#include "stress_impl.h"
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/thread.h>
#include <vm/as_hat.h>

struct space spaces[NSPACES];
struct frame frames[NFRAMES];
bool stress_exact, stress_theft, stress_tight;
static page_t *group_pages[NGROUPS][1024];

#define RETRIES    1000u /* of an access whose table is stolen again and again */
#define NAME(f, m) (0x57e50000u + (uint32_t)((f)-frames) * NMARKS + (m))
#define LANE(id)   (64 + (id) * sizeof(uint32_t))

/* ------------------------------------------------------------------ holding things */

bool
users_enter(volatile uint32_t *users)
{
	uint32_t now = *users;

	return (now != EXCLUSIVE && atomic_cas_32(users, now, now + 1) == now);
}

void
users_exit(volatile uint32_t *users)
{
	atomic_dec_32(users);
}

bool
users_enter_alone(volatile uint32_t *users)
{
	return (atomic_cas_32(users, 0, EXCLUSIVE) == 0);
}

void
users_exit_alone(volatile uint32_t *users)
{
	(void)atomic_swap_32(users, 0);
}

bool
frame_hold(const struct frame *f)
{
	return (page_trylock(f->f_page, false));
}

void
frame_drop(const struct frame *f)
{
	page_unlock(f->f_page);
}

void
worker_go_home(struct worker *w)
{
	if (w->w_home == NULL)
		return;
	DO(w, SETUP, hat_setup(NULL));
	atomic_dec_32(&w->w_home->sp_residents);
	w->w_home = NULL;
}

void
worker_visit(struct worker *w, struct space *sp)
{
	if (w->w_home == sp)
		return;
	worker_go_home(w);
	atomic_inc_32(&sp->sp_residents);
	w->w_home = sp;
	DO(w, SETUP, hat_setup(sp->sp_hat));
}

/* ------------------------------------------------------------------ pages */

uint_t
mark_page(const struct frame *f, uint_t m)
{
	const uint_t at[NMARKS] = { 0, 1, f->f_npages / 2, f->f_npages - 1 };

	return (at[m]);
}

static void
frame_init(struct frame *f, uint_t npages)
{
	page_t *pp = NULL;

	for (int i = 0; i < 100 && pp == NULL; i++) /* some requests may be made to fail */
		pp = npages == 1 ? page_get(PAGE_USER) : page_get_large(PAGE_USER, npages);
	if (pp == NULL)
		panic("stress: out of pages");
	*f = (struct frame){ .f_page = pp, .f_npages = npages, .f_nmarks = npages == 1 ? 1 : NMARKS };
	for (uint_t m = 0; m < f->f_nmarks; m++) {
		uint32_t name = NAME(f, m);

		frame_zero(pp->p_pagenum + mark_page(f, m), 0, PAGESIZE);
		frame_write(pp->p_pagenum + mark_page(f, m), 0, &name, sizeof(name));
	}
	for (uint_t n = 0; n < npages; n++)
		page_unlock(pp + n);
}

/** The large ones first: later there may be none. */
void
frames_init(void)
{
	for (uint_t i = 0; i < NGROUPS; i++) {
		frame_init(&frames[FIRST_GROUP + i], NLARGE);
		for (uint_t n = 0; n < NLARGE; n++)
			group_pages[i][n] = frames[FIRST_GROUP + i].f_page + n;
	}
	for (uint_t i = 0; i < NFRAMES; i++)
		if (i < FIRST_GROUP || i >= FIRST_SOURCE)
			frame_init(&frames[i], 1);
}

void
frames_fini(void)
{
	for (uint_t i = 0; i < NFRAMES; i++) {
		struct frame *f = &frames[i];

		for (uint_t n = 0; n < f->f_npages; n++) {
			if (!page_trylock(f->f_page + n, true))
				panic("stress: page %u of frame %u is still held", n, i);
			page_free(f->f_page + n, 1);
		}
	}
}

/* ------------------------------------------------------------------ spaces */

static void
region_init(struct region *r, uintptr_t va, size_t step, uint_t nslots)
{
	r->r_va = va;
	r->r_step = step;
	r->r_nslots = nslots;
	for (uint_t i = 0; i < NSLOTS; i++)
		r->r_slot[i].s_frame = -1;
}

/*
 * Three in one table; one across two; far apart; at the ends of what a space may have. Workers hold one region at a time, so several
 * of them are at work in one table.
 */
void
space_init(struct space *sp, bool is32)
{
	bool narrow = is32 || mmu.max_level <= VLP_LEVEL;
	uintptr_t end = is32 && mmu.max_level > VLP_LEVEL ? VLP_NUM_PTES * LEVEL_SIZE(VLP_LEVEL) : userlimit;
	uintptr_t va[NREGIONS - 1] = {
		VA,
		VA + 16 * PAGESIZE,
		VA + 32 * PAGESIZE,
		VA + 2 * LARGE - 8 * PAGESIZE,
		VA + 3 * LARGE + 100 * PAGESIZE,
		2 * VA,
		end - NSLOTS * PAGESIZE,
		narrow ? VA + 5 * LARGE : mmu.hole_start - NSLOTS * PAGESIZE,
	};

	sp->sp_as.a_32bit = is32;
	sp->sp_hat = NULL;
	for (uint_t i = 0; i < NREGIONS - 1; i++)
		region_init(&sp->sp_region[i], va[i], PAGESIZE, NSLOTS);
	region_init(&sp->sp_region[NREGIONS - 1], VA + 16 * LARGE, LARGE, 2);
}

uintptr_t
slot_va(const struct region *r, uint_t i)
{
	return (r->r_va + i * r->r_step);
}

void
slot_clear(struct slot *s)
{
	for (; s->s_locks > 0; s->s_locks--)
		frame_drop(&frames[s->s_frame]);
	s->s_frame = -1;
}

/* ------------------------------------------------------------------ loading */

/* All at once: a large page, unless there are small ones already. */
static void
load_group(struct worker *w, hat_t *hat, uintptr_t va, const struct frame *f, uint_t attr, uint_t flags)
{
	DO(w, MEMLOAD_ARRAY, hat_memload_array(hat, va, LARGE, group_pages[f - frames - FIRST_GROUP], attr, flags));
}

void
group_load_small(struct worker *w, struct space *sp, struct region *r, uint_t i)
{
	struct slot *s = &r->r_slot[i];
	page_t **pages = group_pages[s->s_frame - FIRST_GROUP];

	s->s_gen = frames[s->s_frame].f_gen;
	for (uint_t n = 0; n < NLARGE; n += 128)
		DO(w, MEMLOAD_ARRAY,
		    hat_memload_array(sp->sp_hat, slot_va(r, i) + n * PAGESIZE, 128 * PAGESIZE, pages + n, s->s_attr, HAT_LOAD));
}

void
slot_load(struct worker *w, struct space *sp, struct region *r, uint_t i, uint_t flags)
{
	struct slot *s = &r->r_slot[i];
	struct frame *f = &frames[s->s_frame];
	uintptr_t va = slot_va(r, i);

	if (s->s_raw)
		flags |= HAT_LOAD_NOCONSIST;
	s->s_gen = f->f_gen;
	s->s_loose = false;
	if (f->f_npages > 1)
		load_group(w, sp->sp_hat, va, f, s->s_attr, flags);
	else if (stress_random(w, 4) == 0 && page_trylock(f->f_page, false)) { /* only what is locked may be mapped as a device */
		DO(w, DEVLOAD, hat_devload(sp->sp_hat, va, PAGESIZE, f->f_page->p_pagenum, s->s_attr, flags));
		page_unlock(f->f_page);
	} else
		DO(w, MEMLOAD, hat_memload(sp->sp_hat, va, f->f_page, s->s_attr, flags));
}

/* ------------------------------------------------------------------ asking */

bool
slot_may(const struct slot *s)
{
	const struct frame *f = &frames[s->s_frame];

	return (s->s_raw || s->s_gen == f->f_gen || f->f_npages > 1); /* of a group, other pages' small mappings stay */
}

bool
slot_must(const struct slot *s)
{
	bool unloaded = !s->s_raw && s->s_gen != frames[s->s_frame].f_gen;

	return (s->s_locks > 0 || (stress_exact && !s->s_loose && !unloaded));
}

static void
check_attr(struct worker *w, struct space *sp, const struct slot *s, uintptr_t va)
{
	uint_t attr = 0, mask = PROT_WRITE | HAT_NOSYNC | (mmu.pt_nx ? PROT_EXEC : 0);
	uint_t want = s->s_attr | (s->s_raw ? HAT_NOSYNC : 0);
	int none = ASK(w, GETATTR, hat_getattr(sp->sp_hat, va, &attr));

	if (none == 0 && ((attr ^ want) & mask) != 0)
		stress_fail(w, "attributes at 0x%lx: have 0x%x, want 0x%x", va, attr & mask, want & mask);
	if (none != 0 && slot_must(s))
		stress_fail(w, "attributes at 0x%lx: nothing is mapped there", va);
}

static void
check_none(struct worker *w, struct space *sp, uintptr_t va)
{
	pfn_t pfn = ASK(w, GETPFNUM, hat_getpfnum(sp->sp_hat, va));

	if (pfn != PFN_INVALID)
		stress_fail(w, "frame at 0x%lx: have 0x%lx, want none", va, pfn);
}

static void
check_frame(struct worker *w, struct space *sp, const struct slot *s, uintptr_t va)
{
	const struct frame *f = &frames[s->s_frame];
	uint_t page = mark_page(f, stress_random(w, f->f_nmarks));
	pfn_t want = f->f_page->p_pagenum + page;
	pfn_t have = ASK(w, GETPFNUM, hat_getpfnum(sp->sp_hat, va + page * PAGESIZE));

	stress_digest(w, have);
	if (have == PFN_INVALID && slot_must(s))
		stress_fail(w, "frame at 0x%lx: none, want 0x%lx (lost)", va + page * PAGESIZE, want);
	if (have != PFN_INVALID && (have != want || !slot_may(s)))
		stress_fail(w, "frame at 0x%lx: have 0x%lx, want %s0x%lx", va + page * PAGESIZE, have,
		    slot_may(s) ? "" : "none, not ", want);
	if (stress_random(w, 4) == 0) {
		int probe = ASK(w, PROBE, hat_probe(sp->sp_hat, va));

		if (probe == 0 && slot_must(s))
			stress_fail(w, "hat_probe(0x%lx) is 0", va);
	}
}

void
slot_ask(struct worker *w, struct space *sp, struct region *r, uint_t i)
{
	struct slot *s = &r->r_slot[i];

	if (s->s_frame < 0) {
		check_none(w, sp, slot_va(r, i));
		return;
	}
	if (!frame_hold(&frames[s->s_frame])) {
		w->w_skipped++;
		return;
	}
	check_frame(w, sp, s, slot_va(r, i));
	check_attr(w, sp, s, slot_va(r, i));
	if (frames[s->s_frame].f_npages == 1)
		(void)ASK(w, GETPAGESIZE, hat_getpagesize(sp->sp_hat, slot_va(r, i)));
	frame_drop(&frames[s->s_frame]);
}

/* ------------------------------------------------------------------ through the MMU */

/** One access. A translation that may be missing is loaded again, as a page fault would do. */
struct access {
	struct space *sp;
	struct region *r;
	uint_t slot;
	uintptr_t va; /**< of the marked page */
};

static bool
try_access(const struct access *a, uint_t off, uint32_t *word, bool write)
{
	void *p = (void *)(a->va + off);

	return (write ? poke(p, word, sizeof(*word)) : peek(p, word, sizeof(*word)));
}

static void
access_mapped(struct worker *w, const struct access *a, uint_t off, uint32_t *word, bool write)
{
	struct slot *s = &a->r->r_slot[a->slot];

	for (uint_t turn = 0; !try_access(a, off, word, write); turn++) {
		if (slot_must(s))
			stress_fail(w, "0x%lx cannot be %s: its translation is lost", a->va + off, write ? "written" : "read");
		if (turn == RETRIES)
			stress_fail(w, "0x%lx cannot be %s after %u loads", a->va + off, write ? "written" : "read", turn);
		w->w_refaults++;
		slot_load(w, a->sp, a->r, a->slot, HAT_LOAD);
	}
}

/* Names itself, has our last word, and at least what others have finished writing. */
static void
check_contents(struct worker *w, const struct access *a, const struct frame *f, uint_t m)
{
	uint_t other = stress_random(w, NWORKERS);
	uint32_t before = f->f_written[m][other], word = 0;

	access_mapped(w, a, 0, &word, false);
	if (word != NAME(f, m))
		stress_fail(w, "0x%lx shows page 0x%x instead of page 0x%x", a->va, word, NAME(f, m));
	access_mapped(w, a, LANE(w->w_id), &word, false);
	if (word != f->f_written[m][w->w_id])
		stress_fail(w, "word at 0x%lx: have %u, wrote %u", a->va + LANE(w->w_id), word, f->f_written[m][w->w_id]);
	access_mapped(w, a, LANE(other), &word, false);
	if ((int32_t)(word - before) < 0)
		stress_fail(w, "word of worker %u at 0x%lx: have %u, it wrote %u", other, a->va + LANE(other), word, before);
	stress_digest(w, word);
}

/* The MMU has marked it, and whoever asks must hear of it: nobody has collected the mark, since we hold the page. */
static void
check_dirty(struct worker *w, const struct frame *f, uint_t m)
{
	uint_t bits = ASK(w, PAGESYNC, hat_pagesync(f->f_page + mark_page(f, m), HAT_SYNC_DONTZERO));

	if ((bits & (P_REF | P_MOD)) != (P_REF | P_MOD))
		stress_fail(w, "page 0x%lx was written, and its bits are 0x%x", f->f_page->p_pagenum + mark_page(f, m), bits);
}

static void
write_mapped(struct worker *w, const struct access *a, struct frame *f, uint_t m)
{
	const struct slot *s = &a->r->r_slot[a->slot];
	uint32_t next = f->f_written[m][w->w_id] + 1, word = 0;

	access_mapped(w, a, LANE(w->w_id), &next, true);
	f->f_written[m][w->w_id] = next;
	access_mapped(w, a, LANE(w->w_id), &word, false);
	if (word != next)
		stress_fail(w, "word at 0x%lx: have %u, wrote %u just now", a->va + LANE(w->w_id), word, next);
	if (s->s_raw || (s->s_attr & HAT_NOSYNC))
		return;
	f->f_dirty[m] = 1;
	if (stress_random(w, 4) == 0)
		check_dirty(w, f, m);
}

/* What cannot be written must not be: a translation with more permission may be left in this CPU's TLB. */
static void
write_forbidden(struct worker *w, const struct access *a)
{
	uint32_t word = 0xbad;

	if (try_access(a, LANE(NWORKERS), &word, true))
		stress_fail(w, "0x%lx was written, and must not be", a->va);
	w->w_faults++;
}

static void
read_nothing(struct worker *w, const struct access *a)
{
	uint32_t word;

	if (try_access(a, 0, &word, false))
		stress_fail(w, "0x%lx can be read, and nothing is mapped there (word 0x%x)", a->va, word);
	w->w_faults++;
}

static void
touch_mapped(struct worker *w, struct access *a, struct slot *s, bool write)
{
	struct frame *f = &frames[s->s_frame];
	uint_t m = stress_random(w, f->f_nmarks);

	a->va += mark_page(f, m) * PAGESIZE;
	if (!slot_may(s))
		read_nothing(w, a); /* and the next access loads it again */
	check_contents(w, a, f, m);
	if (write && (s->s_attr & PROT_WRITE))
		write_mapped(w, a, f, m);
	else if (write)
		write_forbidden(w, a);
}

void
slot_touch(struct worker *w, struct space *sp, struct region *r, uint_t i, bool write)
{
	struct slot *s = &r->r_slot[i];
	struct access a = { sp, r, i, slot_va(r, i) };

	if (s->s_frame >= 0 && !frame_hold(&frames[s->s_frame])) {
		w->w_skipped++;
		return;
	}
	worker_visit(w, sp);
	w->w_touches++;
	if (s->s_frame < 0) {
		read_nothing(w, &a);
		return;
	}
	touch_mapped(w, &a, s, write);
	frame_drop(&frames[s->s_frame]);
}

void
source_touch(struct worker *w, hat_t *hat, uintptr_t va, uint_t n, bool there)
{
	struct frame *f = &frames[FIRST_SOURCE + n];
	pfn_t want = there ? f->f_page->p_pagenum : PFN_INVALID, have = ASK(w, GETPFNUM, hat_getpfnum(hat, va));
	uint32_t word = 0, mine = f->f_written[0][w->w_id] + 1, lane = 0;
	void *p = (void *)(va + LANE(w->w_id));

	if (have != want)
		stress_fail(w, "frame of shared page %u at 0x%lx: have 0x%lx, want 0x%lx", n, va, have, want);
	w->w_touches++;
	if (peek((void *)va, &word, sizeof(word)) != there)
		stress_fail(w, "shared page %u at 0x%lx is %s", n, va, there ? "not there" : "still there");
	if (!there)
		return;
	if (word != NAME(f, 0) || !peek(p, &lane, sizeof(lane)) || lane != mine - 1)
		stress_fail(w, "shared page %u at 0x%lx shows page 0x%x, word %u; wrote %u", n, va, word, lane, mine - 1);
	if (!poke(p, &mine, sizeof(mine)))
		stress_fail(w, "shared page %u at 0x%lx cannot be written", n, va);
	f->f_written[0][w->w_id] = mine;
}

/* ------------------------------------------------------------------ between rounds */

/* A large page may be there in part, when it was loaded as small ones: then what is left goes too. */
static void
slot_settle(struct worker *w, struct space *sp, struct region *r, uint_t i)
{
	struct slot *s = &r->r_slot[i];
	bool large = r->r_step > PAGESIZE, gone;

	if (s->s_frame < 0 || s->s_locks > 0)
		return;
	gone = ASK(w, PROBE, hat_probe(sp->sp_hat, slot_va(r, i))) == 0;
	if (gone && slot_must(s))
		stress_fail(w, "nothing is mapped at 0x%lx, which is lost", slot_va(r, i));
	if (large)
		DO(w, UNLOAD, hat_unload(sp->sp_hat, slot_va(r, i), r->r_step, HAT_UNLOAD));
	if (large || gone)
		slot_clear(s);
	else
		s->s_loose = false;
}

void
space_settle(struct worker *w, struct space *sp)
{
	for (uint_t n = 0; n < NREGIONS; n++)
		for (uint_t i = 0; i < sp->sp_region[n].r_nslots; i++)
			slot_settle(w, sp, &sp->sp_region[n], i);
}
