/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 3: link_ptp(). Reference code: a student's copy is only what they act on.
 *
 * Each check makes a parent that is linked and a table that is not, links the one into the other by the unit under test, and
 * finishes by hand what htable_create() would do next.
 */
#include <check/check.h>
#include <check/peek_phys.h>
#include <check/scratch.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <vm/page.h>

/** A table and the parent it is to get, both held by the check; `lock` is the table's. */
struct pair {
	htable_t *parent, *new;
	uint_t entry, hash;
	kmutex_t *lock;
	int32_t valid, busy; /**< the parent's, before */
};

/* The table of this level over va, not linked; all above it is. */
static struct pair
make_pair(hat_t *hat, uintptr_t va, level_t level)
{
	uintptr_t base = htable_base(hat, va, level);
	struct pair p = {
		.parent = htable_create(hat, base, level + 1, NULL),
		.new = htable_alloc(hat, base, level, NULL),
		.hash = htable_hash(hat, base, level),
	};

	p.entry = htable_va2entry(base, p.parent);
	p.lock = htable_lock(hat, p.hash);
	p.valid = p.parent->ht_valid_cnt;
	p.busy = p.parent->ht_busy;
	return (p);
}

/* An address space of four 1 GiB entries, on either kernel. */
static void
make_vlp(hat_t *hat)
{
	hat->hat_flags = HAT_VLP;
	hat->hat_top = VLP_LEVEL;
	hat->hat_htable = htable_create(hat, 0, VLP_LEVEL, NULL);
}

/* Written from the manual, not from the kernel's table of bits [SDM3 4.4.1, 4.5]. */
static x86pte_t
link_to(const htable_t *ht, const htable_t *parent)
{
	bool pointer = mmu.num_level == 3 && parent->ht_level == VLP_LEVEL;

	return ((x86pte_t)ht->ht_pfn << PAGESHIFT | (pointer ? PT_VALID : PT_VALID | PT_WRITABLE | PT_USER | PT_REF));
}

static void
by_copy(hat_t *hat, struct pair *p)
{
	mutex_enter(p->lock);
	copy_on(hat);
	link_ptp(p->parent, p->new, p->new->ht_vaddr);
	copy_off();
	check_true(MUTEX_HELD(p->lock), "the new table's lock was given up");
}

/* The rest of htable_create(), and the table is given back like any other. Another check judges the groups. */
static void
finish(struct pair *p)
{
	htable_note(p->parent, p->entry);
	p->new->ht_parent = p->parent;
	htable_chain_insert(p->new, p->hash);
	mutex_exit(p->lock);
	htable_release(p->new);
}

static void
look_at_slots(const struct pair *p)
{
	uint_t n = HTABLE_NUM_PTES(p->parent);
	x86pte_t have = raw_entry(p->parent, p->entry), want = link_to(p->new, p->parent);

	check_true(have == want, "slot %u of the parent (level %d) is 0x%llx, want 0x%llx: a link to frame 0x%lx", p->entry,
	    p->parent->ht_level, (unsigned long long)have, (unsigned long long)want, p->new->ht_pfn);
	for (uint_t i = p->entry == 0 ? 1 : p->entry - 1; i < n && i <= p->entry + 1; i++)
		if (i != p->entry && !hat_is_copied_slot(p->parent, i))
			check_eq(raw_entry(p->parent, i), 0, "the slot beside the new link");
}

CHECK(link_slot, "link-slot", "link_ptp", 3, 4, NULL, 0)
{
	for (level_t l = TOP_LEVEL(hat) - 1; l >= 0; l--) { /* down, as they would be made: each slot is empty */
		struct pair p = make_pair(hat, check_va(l), l);

		by_copy(hat, &p);
		look_at_slots(&p);
		check_eq(p.parent->ht_busy, p.busy, "ht_busy of the parent: passing the hold on is htable_create()'s business");
		check_eq(p.new->ht_busy, 1, "ht_busy of the new table");
		check_eq(p.parent->ht_valid_cnt, p.valid + 1, "ht_valid_cnt of the parent, which has one link more");
		finish(&p);
	}
}

/** The one link that is looked at while it is made. */
static struct {
	struct pair *pair;
	bool written;
	int32_t valid; /**< the parent's count when the link was about to be written */
	x86pte_t slot; /**< the slot at the flush */
} seen;

static void
see(const char *func, const uintptr_t *args)
{
	(void)args;
	if (strcmp(func, "x86pte_cas") == 0 && !seen.written) {
		seen.written = true;
		seen.valid = seen.pair->parent->ht_valid_cnt;
	} else if (strcmp(func, "hat_tlb_inval") == 0 && (seen.pair->parent->ht_flags & HTABLE_VLP)) { /* read without a window */
		seen.slot = raw_entry(seen.pair->parent, seen.pair->entry);
	}
}

static void
link_and_see(hat_t *hat, struct pair *p)
{
	seen.pair = p;
	seen.written = false;
	mutex_enter(p->lock);
	copy_on(hat);
	trial_on_call(see);
	link_ptp(p->parent, p->new, p->new->ht_vaddr);
	copy_off();
}

/* It must never say less than there is: whoever finds 0 frees the table. */
CHECK(link_order, "link-order", "link_ptp", 3, 2, "link-slot", 0)
{
	struct pair p = make_pair(hat, check_va(0), 0);

	link_and_see(hat, &p);
	check_true(!seen.written || seen.valid == p.valid + 1,
	    "ht_valid_cnt of the parent was %d when the link was about to be written, want %d: the count comes first", seen.valid,
	    p.valid + 1);
	finish(&p);
}

/* Who looks for valid entries passes over groups that have had none. */
CHECK(link_group, "link-group", "link_ptp", 3, 1, "link-slot", 0)
{
	struct pair p = make_pair(hat, check_va(0), 0);

	by_copy(hat, &p);
	check_true(p.parent->ht_groups & 1u << (p.entry >> mmu.group_shift),
	    "ht_groups of the parent is 0x%x: slot %u was not noted", p.parent->ht_groups, p.entry);
	finish(&p);
}

/* A walk may have marked an empty slot as used. */
CHECK(link_marked, "link-marked", "link_ptp", 3, 1, "link-slot", 0)
{
	struct pair p = make_pair(hat, check_va(0), 0);

	put_raw(p.parent, p.entry, PT_REF);
	by_copy(hat, &p);
	look_at_slots(&p);
	check_eq(p.parent->ht_valid_cnt, p.valid + 1, "ht_valid_cnt of the parent");
	finish(&p);
}

/* A panic gives the lock back. */
static void
link_pair(void *arg)
{
	struct pair *p = arg;

	mutex_enter(p->lock);
	link_ptp(p->parent, p->new, p->new->ht_vaddr);
	mutex_exit(p->lock);
}

/* Whatever is there may be somebody's only way to his pages. */
CHECK(link_taken, "link-taken", "link_ptp", 3, 2, "link-slot", 0)
{
	static const x86pte_t there[] = { PT_VALID | PT_USER | PT_REF, PTE_CUT, PT_REF | PT_MOD };
	struct pair p = make_pair(hat, check_va(0), 0);
	x86pte_t after[NELEM(there)];
	bool stopped[NELEM(there)];
	char text[160] = "";

	for (uint_t i = 0; i < NELEM(there); i++) {
		put_raw(p.parent, p.entry, there[i]);
		copy_on(hat);
		stopped[i] = check_panics(link_pair, &p, text, sizeof(text));
		copy_off();
		after[i] = raw_entry(p.parent, p.entry);
		p.parent->ht_valid_cnt = p.valid;
	}
	put_raw(p.parent, p.entry, 0);
	htable_free(p.new);
	htable_release(p.parent);
	for (uint_t i = 0; i < NELEM(there); i++) {
		check_true(stopped[i], "no panic, though the slot held 0x%llx", (unsigned long long)there[i]);
		check_eq(after[i], there[i], "the slot that was not empty, after the panic");
	}
	check_note("the panic: %s", text);
}

/* CPUs keep copies of the four entries: they must be told, and when the link is there, not before. */
CHECK(link_directory, "link-directory", "link_ptp", 3, 3, "link-slot", CK_BARE)
{
	struct pair p;

	if (!mmu.pae_hat || !trial_records("hat_tlb_inval"))
		return;
	make_vlp(hat);
	p = make_pair(hat, (uintptr_t)check_random(VLP_NUM_PTES - 1) << LEVEL_SHIFT(VLP_LEVEL), VLP_LEVEL - 1);
	link_and_see(hat, &p);
	look_at_slots(&p);
	check_eq(trial_calls("hat_tlb_inval", (uintptr_t)hat, TRIAL_ANY), 1, "flushes after a change of a directory pointer");
	check_eq(trial_last("hat_tlb_inval")->tr_args[1], DEMAP_ALL_ADDR,
	    "address passed to hat_tlb_inval: only a reload of everything reaches the pointers");
	check_true(seen.slot == raw_entry(p.parent, p.entry),
	    "slot %u was 0x%llx when the flush was asked for: the link comes first", p.entry, (unsigned long long)seen.slot);
	finish(&p);
}

/* Nothing valid was there, so no TLB knows anything about it. */
CHECK(link_quiet, "link-quiet", "link_ptp", 3, 1, "link-slot", 0)
{
	struct pair p = make_pair(hat, check_va(0), 0);

	by_copy(hat, &p);
	check_eq(trial_calls("hat_tlb_inval", TRIAL_ANY, TRIAL_ANY), 0, "flushes after a link in a table that is no directory");
	finish(&p);
}
