/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Deliberate damage: each kind breaks one thing, and the checker must name exactly the invariants listed beside it.
 *
 * The victim is an address space made for the purpose, with a few pages, a large page where there are such, an empty table
 * and one on its cached stack; some kinds need the kernel's own structures. The run ends right afterwards.
 */
#include <check/check.h>
#include <check/damage.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <check/walk.h>
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <monitor/monitor.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <vm/page.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define VA    ((uintptr_t)0x40000000)
#define ENTRY 3u /* the page at VA + ENTRY pages */
#define LARGE ((uintptr_t)0x50000000)

static char damage_kind[32];
static char damage_at[32] = "user-space";
TUNABLE_STRING(damage_kind, "damage", "KIND: break one thing on purpose before the checker looks; list: print the kinds");
TUNABLE_STRING(damage_at, "damage_at", "checkpoint after whose dump the kinds after-* act");

/** The victim. */
static struct {
	hat_t *hat;
	htable_t *low;   /**< level 0, over VA, with one leaf at ENTRY */
	htable_t *empty; /**< level 0, the next one, held */
	htable_t *mid;   /**< level 1, parent of both */
	htable_t *large; /**< the table with the large leaf, or NULL */
} v;

/**
 * @name Raw entries
 * @{
 */
static paddr_t
entry_pa(const htable_t *ht, uint_t i)
{
	return (pfn_to_pa(ht->ht_pfn) + i * mmu.pte_size);
}

static x86pte_t
raw(const htable_t *ht, uint_t i)
{
	x86pte_t e = 0;

	if (!peek_phys(entry_pa(ht, i), &e, mmu.pte_size))
		panic("damage: the table in frame 0x%lx cannot be read", ht->ht_pfn);
	return (e);
}

static void
put(const htable_t *ht, uint_t i, x86pte_t e)
{
	if (!poke_phys(entry_pa(ht, i), &e, mmu.pte_size))
		panic("damage: the table in frame 0x%lx cannot be written", ht->ht_pfn);
}
/** @} */

static htable_t *
find(hat_t *hat, uintptr_t va, level_t level)
{
	htable_t *ht = htable_lookup(hat, va, level);

	if (ht != NULL)
		htable_release(ht); /* it stays: the victim holds on to all of its tables */
	return (ht);
}

static void
make_large(void)
{
	page_t *pp;

	if (mmu.max_page_level == 0)
		return;
	pp = page_get_large(PAGE_USER, LEVEL_SIZE(1) / PAGESIZE);
	if (pp == NULL)
		panic("damage: no large page");
	hat_devload(v.hat, LARGE, LEVEL_SIZE(1), pp->p_pagenum, PROT_READ | PROT_USER, HAT_LOAD);
	v.large = find(v.hat, LARGE, 1);
}

static void
make_victim(void)
{
	page_t *pp = page_get(PAGE_USER);

	if (pp == NULL)
		panic("damage: no page");
	v.hat = hat_alloc(NULL);
	hat_memload(v.hat, VA + ENTRY * PAGESIZE, pp, PROT_READ | PROT_WRITE | PROT_USER, HAT_LOAD);
	v.low = find(v.hat, VA, 0);
	v.mid = v.low->ht_parent;
	make_large();
	htable_release(htable_create(v.hat, VA + 2 * LEVEL_SIZE(1), 0, NULL)); /* to the cached stack */
}

/** A base from `va` up whose level-0 table is on another chain than v.low: which ones are, is drawn at each boot. */
static uintptr_t
other_chain(uintptr_t va)
{
	uint_t low = htable_bucket_of(v.hat, htable_hash(v.hat, VA & LEVEL_MASK(1), 0));

	while (htable_bucket_of(v.hat, htable_hash(v.hat, va & LEVEL_MASK(1), 0)) == low)
		va += LEVEL_SIZE(1);
	return (va);
}

/* A second table, empty; the hold is the caller's. */
static htable_t *
make_empty(void)
{
	v.empty = htable_create(v.hat, other_chain(VA + LEVEL_SIZE(1)), 0, NULL);
	return (v.empty);
}

/* v.low, with no other behind it on its chain: damage to its link loses none. Which ones are there is drawn at each boot. */
static htable_t *
last_of_chain(void)
{
	uint_t h = htable_hash(v.hat, v.low->ht_vaddr, 0);
	htable_t *next;

	mutex_enter(htable_lock(v.hat, h));
	while ((next = v.low->ht_next) != NULL) {
		htable_chain_remove(next, h);
		htable_chain_insert(next, h);
	}
	mutex_exit(htable_lock(v.hat, h));
	return (v.low);
}

static uint_t
low_slot(void)
{
	return (htable_va2entry(VA, v.mid));
}

/* A slot of the level-1 table that nothing uses. */
static uint_t
free_slot(void)
{
	return (low_slot() + 5);
}

/**
 * @name Structure
 * @{
 */
static void
dmg_hash_array(void)
{
	v.hat->hat_chains[0].hc_head = NULL;
}
static void
dmg_prev(void)
{
	last_of_chain()->ht_prev = v.mid;
}
static void
dmg_cycle(void)
{
	last_of_chain()->ht_next = last_of_chain();
}
static void
dmg_wild(void)
{
	last_of_chain()->ht_next = (htable_t *)8;
}

static void
dmg_chain(void)
{
	uint_t h = htable_hash(v.hat, v.low->ht_vaddr, 0);

	mutex_enter(htable_lock(v.hat, h));
	htable_chain_remove(v.low, h);
	mutex_exit(htable_lock(v.hat, h));
	mutex_enter(htable_lock(v.hat, h + 1));
	htable_chain_insert(v.low, h + 1);
	mutex_exit(htable_lock(v.hat, h + 1));
}

static void
dmg_twice(void)
{
	v.hat->hat_ht_cached->ht_next = last_of_chain();
}
static void
dmg_same_place(void)
{
	make_empty()->ht_busy--, v.empty->ht_vaddr = VA;
}
static void
dmg_level(void)
{
	v.low->ht_level = 7;
}
static void
dmg_top(void)
{
	v.hat->hat_htable = v.low;
}
static void
dmg_orphan(void)
{
	v.low->ht_parent = NULL;
}
static void
dmg_base(void)
{
	v.low->ht_vaddr += PAGESIZE;
}
static void
dmg_parent(void)
{
	v.low->ht_parent = kas_hat->hat_htable;
}
static void
dmg_parent_wild(void)
{
	v.low->ht_parent = (htable_t *)16;
}
static void
dmg_kernel_base(void)
{
	v.low->ht_vaddr = other_chain(kernelbase);
}
static void
dmg_flags(void)
{
	v.low->ht_flags = 0x40;
}
static void
dmg_source(void)
{
	v.low->ht_shares = kas_hat->hat_htable;
}
static void
dmg_hat_list(void)
{
	v.hat->hat_prev = v.hat;
}
static void
dmg_victim(void)
{
	v.hat->hat_flags |= HAT_VICTIM;
}
static void
dmg_dont_cache(void)
{
	htable_dont_cache = 1;
}
static void
dmg_lock_held(void)
{
	mutex_enter(&v.hat->hat_chains[0].hc_lock);
}

/* The first on the list, so that the list's two ends are easily mended. */
static void
dmg_gone(void)
{
	hat_setup(v.hat);
	kas_hat->hat_next = v.hat->hat_next;
	if (v.hat->hat_next != NULL)
		v.hat->hat_next->hat_prev = NULL;
	else
		kas_hat->hat_prev = NULL;
}
/** @} */

/**
 * @name Links
 * @{
 */
static void
dmg_link(void)
{
	put(v.mid, low_slot(), raw(v.mid, low_slot()) & ~PT_USER);
}
static void
dmg_link_lost(void)
{
	put(v.mid, low_slot(), 0);
}
static void
dmg_link_stray(void)
{
	put(v.mid, free_slot(), MAKEPTP(v.low->ht_pfn, 0));
}
static void
dmg_junk(void)
{
	put(v.low, ENTRY + 2, PT_REF);
}
static void
dmg_leaf_lost(void)
{
	put(v.low, ENTRY, 0);
}
static void
dmg_leaf_over(void)
{
	put(v.mid, low_slot(), MAKEPTE(0, 1) | PT_USER);
}
static void
dmg_misaligned(void)
{
	put(v.large, htable_va2entry(LARGE, v.large), raw(v.large, htable_va2entry(LARGE, v.large)) | 0x4000);
}
static void
dmg_kernel_range(void)
{
	kernel_ranges[0].hkr_start -= LEVEL_SIZE(kernel_ranges[0].hkr_level);
}

/* A leaf where there can be none: in the top table, be it a frame or four entries in the hat. */
static void
dmg_leaf_high(void)
{
	htable_t *top = v.hat->hat_htable;
	uint_t i = htable_va2entry(VA, top) + 1;
	x86pte_t e = PT_VALID | PT_PAGESIZE | PT_USER;

	if (top->ht_flags & HTABLE_VLP)
		v.hat->hat_vlp_ptes[i] = e;
	else
		put(top, i, e);
}

/* In the table that has copied slots at the kernel's first range. */
static void
dmg_copied(void)
{
	const struct hat_kernel_range *k = &kernel_ranges[0];
	htable_t *ht = find(v.hat, k->hkr_start, k->hkr_level);
	uint_t i = htable_va2entry(k->hkr_start, ht);

	if (ht->ht_flags & HTABLE_VLP)
		v.hat->hat_vlp_ptes[i] |= PT_WRITETHRU;
	else
		put(ht, i, raw(ht, i) | PT_WRITETHRU);
}
/** @} */

/**
 * @name Counts
 * @{
 */
static void
dmg_groups(void)
{
	v.low->ht_groups = 0;
}
static void
dmg_valid(void)
{
	v.low->ht_valid_cnt++;
}
static void
dmg_negative(void)
{
	v.low->ht_valid_cnt = -1;
}
static void
dmg_shared(void)
{
	v.low->ht_flags = HTABLE_SHARED_PFN, v.low->ht_valid_cnt = 0;
}
static void
dmg_busy(void)
{
	v.low->ht_busy++;
}
static void
dmg_permanent(void)
{
	kas_hat->hat_htable->ht_permanent = 0;
}
static void
dmg_lock_count(void)
{
	kas_hat->hat_htable->ht_lock_cnt = 1;
}
static void
dmg_kept(void)
{
	make_empty()->ht_busy--;
}
static void
dmg_mapped(void)
{
	v.hat->hat_pages_mapped[0]++;
}
static void
dmg_ism(void)
{
	v.hat->hat_ism_pgcnt = 1;
}
static void
dmg_reserve(void)
{
	htable_reserve_cnt++;
}
static void
dmg_active(void)
{
	active_ptables++;
}
static void
dmg_object(void)
{
	(void)kmem_cache_alloc(htable_cache, KM_SLEEP);
}
static void
dmg_sharing(void)
{
	hatstat.hs_htable_shared++;
}
/** @} */

/**
 * @name Frames and leaves
 * @{
 */
static void
dmg_no_frame(void)
{
	v.low->ht_pfn = mmu.highest_pfn;
}
static void
dmg_same_frame(void)
{
	make_empty()->ht_busy--, v.empty->ht_pfn = v.low->ht_pfn;
}
static void
dmg_page_lock(void)
{
	page_numtopp_nolock(v.low->ht_pfn)->p_selock = 0;
}
static void
dmg_page_free(void)
{
	page_numtopp_nolock(v.low->ht_pfn)->p_state = PAGE_FREE;
}
static void
dmg_cached(void)
{
	put(v.hat->hat_ht_cached, 100, 0x1000);
}
static void
dmg_reserve_frame(void)
{
	htable_reserve_pool->ht_pfn = 5;
}
static void
dmg_global(void)
{
	put(v.low, ENTRY, raw(v.low, ENTRY) | PT_GLOBAL);
}
static void
dmg_nosync(void)
{
	put(v.low, ENTRY, (raw(v.low, ENTRY) | PT_NOSYNC) & ~(PT_REF | PT_MOD));
}

/* A leaf of the heap leads to a table instead of its page. */
static void
dmg_kernel_maps(void)
{
	uintptr_t va = (uintptr_t)kmem_alloc(PAGESIZE, KM_SLEEP);
	htable_t *ht = find(kas_hat, va, 0);

	put(ht, htable_va2entry(va, ht), MAKEPTE(v.low->ht_pfn, 0) | (raw(ht, htable_va2entry(va, ht)) & ~PT_PADDR));
}

/* One more window, that is for nothing. */
static void
dmg_window_maps(void)
{
	uintptr_t va = WINDOW_VA(WINDOW_PWIN - 1);
	htable_t *ht = find(kas_hat, va, 0);

	put(ht, htable_va2entry(va, ht), MAKEPTE(v.low->ht_pfn, 0) | PT_NOCONSIST | PT_REF | PT_MOD);
	ht->ht_valid_cnt++;
	kas_hat->hat_pages_mapped[0]++;
}

/* As N11 would notice if the moment were one of the two. */
static void
dmg_adopted(void)
{
	kas_hat->hat_pages_mapped[0]++;
	invariants_early("when the damage was done");
	kas_hat->hat_pages_mapped[0]--;
}

/* Any leaf of the kernel's lowest table will do: supervisors see no difference. */
static void
dmg_user(void)
{
	htable_t *ht = find(kas_hat, mmu.pwin_base, 0);
	uint_t i = htable_va2entry(mmu.pwin_base, ht) - 1;

	while (!PTE_ISVALID(raw(ht, i)))
		i--;
	put(ht, i, raw(ht, i) | PT_USER);
}
/** @} */

/**
 * @name Mapping lists
 * @{
 */
static page_t *
victim_page(void)
{
	return (page_numtopp_nolock(PTE2PFN(raw(v.low, ENTRY), 0)));
}

/* Twice mapped, so that there is a list. */
static hment_t *
make_list(void)
{
	hat_memload(v.hat, VA + (ENTRY + 1) * PAGESIZE, victim_page(), PROT_READ | PROT_USER, HAT_LOAD);
	return (victim_page()->p_mapping);
}

static void
dmg_record_lost(void)
{
	victim_page()->p_embed = 0, victim_page()->p_mapping = NULL;
}
static void
dmg_record_stray(void)
{
	victim_page()->p_mlentry++;
}
static void
dmg_record_form(void)
{
	victim_page()->p_share = 1;
}
static void
dmg_record_count(void)
{
	(void)make_list(), victim_page()->p_share++;
}
static void
dmg_record_link(void)
{
	make_list()->hm_next->hm_prev = NULL;
}
static void
dmg_record_trace(void)
{
	page_get(PAGE_USER)->p_embed = 1;
}
static void
dmg_page_gone(void)
{
	victim_page()->p_state = PAGE_FREE;
}

static void
dmg_record_hash(void)
{
	hment_t *hm = make_list();

	hment_hash_table[hment_hash(hm->hm_pfn, hm->hm_entry)] = NULL;
}

static void
dmg_maps_table(void)
{
	put(v.low, ENTRY + 1, MAKEPTE(v.low->ht_pfn, 0) | PT_USER | PT_NOCONSIST | PT_REF | PT_MOD);
	v.low->ht_valid_cnt++;
	v.hat->hat_pages_mapped[0]++;
}

/* A page that is no table's by its state, but one that the MMU reads when this CPU runs a VLP hat. */
static void
dmg_maps_vlp(void)
{
	x86pte_t *slots = CPU->cpu_hat_info->hci_vlp_slots;

	if (slots == NULL)
		return;
	put(v.low, ENTRY + 1, MAKEPTE(hat_getpfnum(kas_hat, (uintptr_t)slots), 0) | PT_USER | PT_NOCONSIST | PT_REF | PT_MOD);
	v.low->ht_valid_cnt++;
	v.hat->hat_pages_mapped[0]++;
}

static void
dmg_vlp_frame(void)
{
	CPU->cpu_hat_info->hci_vlp_cr3 = pfn_to_pa(v.low->ht_pfn);
}
/** @} */

/**
 * @name CPUs
 * @{
 */
static void
dmg_panic(void)
{
	dmg_mapped();
	panic("damage=panic was asked for");
}

static void
dmg_cpus(void)
{
	v.hat->hat_cpus = 1;
}
static void
dmg_preempt(void)
{
	kpreempt_disable();
}
static void
dmg_online(void)
{
	khat_cpuset |= CPUSET(NCPU - 1);
}

/* Any other root that shows the kernel. */
static void
dmg_cr3(void)
{
	hat_setup(v.hat);
	CPU->cpu_current_hat = kas_hat;
	curthread->t_hat = NULL;
	v.hat->hat_cpus = 0;
}

/* Of the four entries that the CPU has loaded already, in memory only. */
static void
dmg_vlp(void)
{
	x86pte_t *slots = CPU->cpu_hat_info->hci_vlp_slots;

	hat_setup(v.hat);
	if (slots != NULL)
		slots[2] = PT_NOCACHE;
}

static void
dmg_window(void)
{
	x86pte_t e = PT_VALID | PT_WRITABLE | PT_USER;

	(void)poke_phys(mmu.pwin_pte_pa + (2 * NCPU - 1) * mmu.pte_size, &e, mmu.pte_size);
}
/** @} */

/** A kind, and all that must be reported. */
static const struct damage {
	const char *name;
	const char *expect; /**< ids: the one that the kind is for, then whatever else cannot hold then */
	void (*func)(void);
	const char *expect_vlp; /**< where user hats are VLP, if that differs; "-": does not apply there */
} kinds[] = {
	{ "hash-array", "S1,S6,N9,N13,N14,E5", dmg_hash_array, NULL },
	{ "prev", "S2", dmg_prev, NULL },
	{ "cycle", "S2", dmg_cycle, NULL },
	{ "wild", "S2", dmg_wild, NULL },
	{ "chain", "S3", dmg_chain, NULL },
	{ "twice", "S4,N13,N14,F2,F5", dmg_twice, NULL },
	{ "same-place", "S5,L2,S3,L1,N8", dmg_same_place, NULL },
	{ "level", "S6,N9,E5", dmg_level, NULL },
	{ "top", "S6", dmg_top, NULL },
	{ "orphan", "S6,L2,N3,N7", dmg_orphan, NULL },
	{ "base", "S7,L2", dmg_base, NULL },
	{ "parent", "S8,L2,N3,N7", dmg_parent, NULL },
	{ "parent-wild", "S8,L2,N3,N7", dmg_parent_wild, NULL },
	{ "kernel-base", "S9,L2,S3,S8", dmg_kernel_base, NULL },
	{ "flags", "S10", dmg_flags, NULL },
	{ "source", "S11,N3", dmg_source, NULL },
	{ "hat-list", "S12", dmg_hat_list, NULL },
	{ "victim", "S13", dmg_victim, NULL },
	{ "dont-cache", "S13", dmg_dont_cache, NULL },
	{ "lock-held", "S13", dmg_lock_held, NULL },
	{ "gone", "S14,N13,N14,E5", dmg_gone, NULL },
	{ "link", "L1", dmg_link, NULL },
	{ "link-lost", "L1,N1,N7", dmg_link_lost, NULL },
	{ "link-stray", "L2,N1,N7", dmg_link_stray, NULL },
	{ "leaf-high", "L3,N1", dmg_leaf_high, "L3,N1,N9" },
	{ "junk", "L4", dmg_junk, NULL },
	{ "copied", "L5", dmg_copied, NULL },
	{ "kernel-range", "L6", dmg_kernel_range, NULL },
	{ "leaf-over", "L7,L1,N7,N9,F4,F7,E4", dmg_leaf_over, NULL },
	{ "misaligned", "L8,E1,E4,E5,F7", dmg_misaligned, NULL },
	{ "valid", "N1", dmg_valid, NULL },
	{ "leaf-lost", "N1,N9,E5", dmg_leaf_lost, NULL },
	{ "shared", "N2,S11,N8,N9,N13,N15,E5", dmg_shared, NULL },
	{ "busy", "N3", dmg_busy, NULL },
	{ "permanent", "N4,N3", dmg_permanent, NULL },
	{ "negative", "N5,N1", dmg_negative, NULL },
	{ "lock-count", "N6", dmg_lock_count, NULL },
	{ "kept", "N8", dmg_kept, NULL },
	{ "mapped", "N9", dmg_mapped, NULL },
	{ "panic", "N9", dmg_panic, NULL }, /* the last thing that a panic does is to judge */
	{ "ism", "N10", dmg_ism, NULL },
	{ "adopted", "N11", dmg_adopted, NULL },
	{ "reserve", "N12", dmg_reserve, NULL },
	{ "active", "N13", dmg_active, NULL },
	{ "object", "N14", dmg_object, NULL },
	{ "sharing", "N15", dmg_sharing, NULL },
	{ "groups", "N16", dmg_groups, NULL },
	{ "no-frame", "F1,L2,L1,N9,E5", dmg_no_frame, NULL },
	{ "same-frame", "F2,L2,L1,N1,N8,N9,N16,E4", dmg_same_frame, NULL },
	{ "vlp-frame", "F2", dmg_vlp_frame, "-" },
	{ "page-lock", "F3", dmg_page_lock, NULL },
	{ "page-free", "F3", dmg_page_free, NULL },
	{ "cached", "F5", dmg_cached, NULL },
	{ "reserve-frame", "F6", dmg_reserve_frame, NULL },
	{ "global", "E1,E2", dmg_global, NULL },
	{ "user", "E2", dmg_user, NULL },
	{ "nosync", "E3", dmg_nosync, NULL },
	{ "maps-table", "F4", dmg_maps_table, NULL },
	{ "maps-vlp", "F4", dmg_maps_vlp, NULL },
	{ "kernel-maps", "F4", dmg_kernel_maps, NULL },
	{ "window-maps", "F4", dmg_window_maps, NULL },
	{ "page-gone", "F7", dmg_page_gone, NULL },
	{ "record-lost", "E4", dmg_record_lost, NULL },
	{ "record-stray", "E5,E4", dmg_record_stray, NULL },
	{ "record-form", "E6", dmg_record_form, NULL },
	{ "record-count", "E6,E5", dmg_record_count, NULL },
	{ "record-link", "E6,E4,E5", dmg_record_link, NULL },
	{ "record-hash", "E6", dmg_record_hash, NULL },
	{ "record-trace", "E7", dmg_record_trace, NULL },
	{ "cpus", "P1", dmg_cpus, NULL },
	{ "cr3", "P2", dmg_cr3, NULL },
	{ "vlp", "-", dmg_vlp, "P3" },
	{ "window", "P4", dmg_window, NULL },
	{ "preempt", "P4", dmg_preempt, NULL },
	{ "online", "P6", dmg_online, NULL },
};

/** With two levels the table above level 0 is the top: it covers everything, and may hold leaves. */
static const struct {
	const char *name, *expect;
} two_levels[] = {
	{ "kernel-base", "S9,L1,L2,S3" }, { "vlp-frame", "-" }, { "maps-vlp", "-" },
	{ "leaf-high", "N1,N9,E4,F4,F7" }, /* legal there, but it shows 4 MiB that others own */
};

/* ------------------------------------------------------------------ running */

/* For the test that checks are judged: one that leaves something broken, when asked to. */
CHECK(damage_left, "damage-left", NULL, 0, 0, NULL, 0)
{
	if (strcmp(damage_kind, "left") == 0)
		hat->hat_pages_mapped[0]++;
}

static bool
is_after_dump(void)
{
	return (strncmp(damage_kind, "after-", 6) == 0);
}

bool
damage_wanted(void)
{
	return (damage_kind[0] != '\0' && strcmp(damage_kind, "left") != 0 && !is_after_dump());
}

static const char *
expected(const struct damage *d)
{
	bool vlp = mmu.top_level_count == VLP_NUM_PTES;

	for (uint_t i = 0; mmu.num_level == 2 && i < NELEM(two_levels); i++)
		if (strcmp(d->name, two_levels[i].name) == 0)
			return (two_levels[i].expect);
	return (vlp && d->expect_vlp != NULL ? d->expect_vlp : d->expect);
}

static void NORETURN
list_kinds(void)
{
	for (const struct damage *d = kinds; d < kinds + NELEM(kinds); d++)
		printf("damage %s: %s\n", d->name, expected(d));
	printf("damage after-write: -\ndamage after-frame: -\n");
	run_done("ok");
}

void
damage_main(void)
{
	if (strcmp(damage_kind, "list") == 0)
		list_kinds();
	for (const struct damage *d = kinds; d < kinds + NELEM(kinds); d++) {
		if (strcmp(damage_kind, d->name) != 0)
			continue;
		make_victim();
		if (check_invariants() != 0)
			panic("damage: something is broken already");
		d->func();
		printf("damage %s is done; expected: %s\n", d->name, expected(d));
		monitor_at("damage");
		run_done(check_invariants() != 0 ? "fail" : "ok");
	}
	printf("hatlab: unknown damage \"%s\"\n", damage_kind);
	run_done("fail");
}

/* ------------------------------------------------------------------ behind the dump's back */

static bool
first_leaf(const walk_leaf_t *leaf, void *arg)
{
	*(walk_leaf_t *)arg = *leaf;
	return (false);
}

static walk_leaf_t hidden; /* the leaf that has been changed; wl_size 0: none */

/* One bit, and back again: what the MMU notes in the entry meanwhile stays. */
static void
flip_hidden(void)
{
	x86pte_t flip = strcmp(damage_kind, "after-frame") == 0 ? PAGESIZE : PT_WRITABLE, e = 0;
	size_t size = walk_mode() == WALK_NONPAE ? sizeof(x86pte32_t) : sizeof(x86pte_t);

	(void)peek_phys(hidden.wl_entry_pa, &e, size);
	e ^= flip;
	(void)poke_phys(hidden.wl_entry_pa, &e, size);
}

/* The first page of the running address space: what has just been shown is no longer true. */
void
damage_after_dump(const char *checkpoint)
{
	if (!is_after_dump() || strcmp(checkpoint, damage_at) != 0)
		return;
	(void)walk_range(walk_mode(), walk_root(), 0, UINT64_MAX, first_leaf, &hidden);
	if (hidden.wl_size != 0)
		flip_hidden();
}

void
damage_after_look(void)
{
	if (hidden.wl_size != 0)
		flip_hidden();
	hidden.wl_size = 0;
}
