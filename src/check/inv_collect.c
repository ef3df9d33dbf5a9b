/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Taking the snapshot: every pointer is tried before it is followed, every chain has an end.
 */
#include <check/inv_impl.h>
#include <check/peek_phys.h>
#include <check/walk.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <memmap.h>

#define INV_MAXBUCKETS 65536u

struct inv_view inv;

void
inv_fault(const char *id, inv_hat_t *h, uint64_t want, uint64_t have, const char *text)
{
	if (inv.nfaults < INV_MAXFAULTS)
		inv.faults[inv.nfaults++] = (inv_fault_t){ id, text, h, want, have };
}

/* Can there be an object of ours? Kernel memory, aligned, and it answers. */
static bool
read_object(const void *addr, void *copy, size_t size)
{
	uintptr_t a = (uintptr_t)addr;

	return (a >= OBJECTS_BASE && (a & (sizeof(void *) - 1)) == 0 && peek(addr, copy, size));
}

static bool
add_word(uintptr_t w)
{
	if (inv.nwords >= inv.maxwords)
		return (false);
	inv.words[inv.nwords++] = w;
	return (true);
}

/* ------------------------------------------------------------------ tables */

/* Copy the object at addr into the next place; NULL when there is no object or no place. */
static inv_table_t *
add_table(inv_hat_t *h, htable_t *addr, uint_t bucket, bool cached)
{
	inv_table_t *t = &inv.tables[inv.ntables];

	if (inv.ntables >= inv.maxtables)
		return (NULL);
	memset(t, 0, sizeof(*t));
	if (!read_object(addr, &t->it_ht, sizeof(t->it_ht)) || !add_word((uintptr_t)addr))
		return (NULL);
	t->it_addr = addr;
	t->it_hat = h;
	t->it_bucket = bucket;
	t->it_cached = cached;
	inv.ntables++;
	return (t);
}

static bool
seen_since(uint_t first, const htable_t *addr)
{
	for (uint_t i = first; i < inv.ntables; i++)
		if (inv.tables[i].it_addr == addr)
			return (true);
	return (false);
}

/* A chain or a cached stack, up to its end or to the first thing wrong with it. */
static void
collect_chain(inv_hat_t *h, htable_t *p, uint_t bucket, bool cached)
{
	const char *id = cached ? "F5" : "S2";
	uint_t first = inv.ntables;
	htable_t *prev = NULL;

	while (p != NULL) {
		inv_table_t *t;

		if (seen_since(first, p)) {
			inv_fault(id, h, 0, (uintptr_t)p, "the list comes back to a table that it has passed");
			return;
		}
		t = add_table(h, p, bucket, cached);
		if (t == NULL) {
			inv_fault(id, h, 0, (uintptr_t)p, "the list leads to something that is no table");
			return;
		}
		if (!cached && t->it_ht.ht_prev != prev)
			inv_fault(id, h, (uintptr_t)prev, (uintptr_t)t->it_ht.ht_prev, "ht_prev is not the table before");
		prev = p;
		p = t->it_ht.ht_next;
	}
}

static void
collect_tables(inv_hat_t *h)
{
	htable_t *head;

	for (uint_t b = 0; b < MIN(htable_nbuckets(&h->ih_hat), INV_MAXBUCKETS); b++) {
		const struct hat_chains *hc = &h->ih_hat.hat_chains[b % HAT_NLOCKS];
		uint_t before = inv.ntables;

		if (b / HAT_NLOCKS > hc->hc_mask)
			continue;
		if (!read_object(&hc->hc_head[b / HAT_NLOCKS], &head, sizeof(head))) {
			inv_fault("S1", h, hc->hc_mask + 1, b / HAT_NLOCKS, "chains of the array that can be read");
			return;
		}
		collect_chain(h, head, b, false);
		h->ih_chained[b % HAT_NLOCKS] += inv.ntables - before;
	}
	collect_chain(h, h->ih_hat.hat_ht_cached, 0, true);
}

/* Only the addresses are kept: nothing else in these objects means anything. */
static void
collect_reserve(void)
{
	htable_t *p = htable_reserve_pool, copy;

	for (inv.nreserve = 0; p != NULL; inv.nreserve++) {
		if (!read_object(p, &copy, sizeof(copy)) || !add_word((uintptr_t)p)) {
			inv_fault("F6", NULL, 0, (uintptr_t)p, "the reserve leads to something that is no table, or has no end");
			return;
		}
		if (copy.ht_pfn != PFN_INVALID)
			inv_fault("F6", NULL, PFN_INVALID, copy.ht_pfn, "a table in the reserve owns a frame");
		if (copy.ht_hat != NULL)
			inv_fault("F6", NULL, 0, (uintptr_t)copy.ht_hat, "a table in the reserve belongs to a hat");
		p = copy.ht_next;
	}
}

/* ------------------------------------------------------------------ hats */

static inv_hat_t *
add_hat(hat_t *addr)
{
	inv_hat_t *h = &inv.hats[inv.nhats];

	if (inv.nhats >= INV_MAXHATS)
		return (NULL);
	memset(h, 0, sizeof(*h));
	if (!read_object(addr, &h->ih_hat, sizeof(h->ih_hat)))
		return (NULL);
	h->ih_addr = addr;
	h->ih_kernel = addr == kas_hat;
	inv.nhats++;
	return (h);
}

static bool
hat_seen(const hat_t *addr)
{
	for (uint_t i = 0; i < inv.nhats; i++)
		if (inv.hats[i].ih_addr == addr)
			return (true);
	return (false);
}

/* The kernel's hat anchors the list without being on it: its two links are the list's two ends. */
static void
collect_hats(void)
{
	hat_t *p = inv.hats[0].ih_hat.hat_next, *prev = NULL;

	while (p != NULL) {
		inv_hat_t *h;

		if (hat_seen(p)) {
			inv_fault("S12", NULL, 0, (uintptr_t)p, "the list of hats comes back to one that it has passed");
			return;
		}
		h = add_hat(p);
		if (h == NULL) {
			inv_fault("S12", NULL, 0, (uintptr_t)p, "the list of hats leads to something that is no hat");
			return;
		}
		if (h->ih_hat.hat_prev != prev)
			inv_fault("S12", h, (uintptr_t)prev, (uintptr_t)h->ih_hat.hat_prev, "hat_prev is not the hat before");
		prev = p;
		p = h->ih_hat.hat_next;
	}
	if (inv.hats[0].ih_hat.hat_prev != prev)
		inv_fault("S12", &inv.hats[0], (uintptr_t)prev, (uintptr_t)inv.hats[0].ih_hat.hat_prev,
		    "the kernel's hat_prev is not the last hat");
}

/* ------------------------------------------------------------------ who belongs to whom */

static void
relate(void)
{
	inv_for_linked(t)
	{
		inv_table_t *p = t->it_ht.ht_parent == NULL ? NULL : inv_by_addr(t->it_ht.ht_parent);
		inv_table_t *s = t->it_ht.ht_shares == NULL ? NULL : inv_by_addr(t->it_ht.ht_shares);

		if (p != NULL)
			p->it_children++;
		if (p != NULL && p->it_hat == t->it_hat)
			t->it_parent = p;
		if (s != NULL)
			s->it_sharers++;
	}
}

static void
note_cr3(uintptr_t a, uintptr_t b)
{
	(void)a, (void)b;
	inv.cr3[CPU->cpu_id] = walk_root();
}

bool
inv_collect(void)
{
	inv.nhats = inv.ntables = inv.nwords = inv.nfaults = 0;
	if (add_hat(kas_hat) == NULL)
		return (false);
	collect_hats();
	for (uint_t i = 0; i < inv.nhats; i++)
		collect_tables(&inv.hats[i]);
	collect_reserve();
	inv_index();
	relate();
	inv_find_vlp();
	memset(inv.cr3, 0, sizeof(inv.cr3));
	if (ncpus > 1) {
		kpreempt_disable();
		xc_call(~(cpuset_t)0, note_cr3, 0, 0);
		kpreempt_enable();
	} else {
		note_cr3(0, 0);
	}
	return (true);
}

/* ------------------------------------------------------------------ questions */

bool
inv_is_top(const inv_table_t *t)
{
	return (t->it_ht.ht_level == TOP_LEVEL(&t->it_hat->ih_hat));
}

uint_t
inv_nentries(const inv_table_t *t)
{
	if (t->it_ht.ht_flags & HTABLE_VLP)
		return (VLP_NUM_PTES);
	return (t->it_ht.ht_level == mmu.max_level ? mmu.top_level_count : mmu.ptes_per_table);
}

uintptr_t
inv_va(const inv_table_t *t, uint_t i)
{
	uintptr_t va = t->it_ht.ht_vaddr + ((uintptr_t)i << mmu.level_shift[t->it_ht.ht_level & 3]);

	if (t->it_ht.ht_level == MAX_NUM_LEVEL - 1 && va >= mmu.hole_start)
		va += mmu.hole_end - mmu.hole_start + 1;
	return (va);
}

uintptr_t
inv_last(const inv_table_t *t)
{
	return (inv_va(t, inv_nentries(t) - 1) + mmu.level_size[t->it_ht.ht_level & 3] - 1);
}

bool
inv_copied(const inv_table_t *t, uint_t i)
{
	uintptr_t va = inv_va(t, i);

	if (t->it_hat->ih_kernel)
		return (false);
	for (int r = 0; r < num_kernel_ranges; r++)
		if (kernel_ranges[r].hkr_level == t->it_ht.ht_level && va >= kernel_ranges[r].hkr_start &&
		    (kernel_ranges[r].hkr_end == 0 || va < kernel_ranges[r].hkr_end))
			return (true);
	return (false);
}

bool
inv_may_copy(const inv_table_t *t)
{
	for (int r = 0; r < num_kernel_ranges && !t->it_hat->ih_kernel; r++)
		if (kernel_ranges[r].hkr_level == t->it_ht.ht_level)
			return (true);
	return (false);
}

bool
inv_private(const inv_table_t *t, uint_t i)
{
	uintptr_t va = inv_va(t, i);

	if (!t->it_hat->ih_kernel || t->it_ht.ht_level != 0)
		return (false);
	for (uint_t k = 0; k < HAT_NMEMPTE; k++)
		if (va == hat_mempte_va[k])
			return (true);
	return (mmu.pwin_base != 0 && va >= mmu.pwin_base && va < mmu.pwin_base + 2 * NCPU * PAGESIZE);
}

uint_t
inv_counted(const inv_table_t *t)
{
	uint_t n = 0;

	for (uint_t k = 0; k < HAT_NMEMPTE; k++)
		n += t->it_hat->ih_kernel && t->it_ht.ht_level == 0 && hat_mempte_va[k] != 0 &&
		    hat_mempte_va[k] >= t->it_ht.ht_vaddr && hat_mempte_va[k] <= inv_last(t);
	return (n);
}

bool
inv_range_table(const inv_table_t *t)
{
	if (t->it_hat->ih_kernel || inv_is_top(t))
		return (false);
	for (int r = 0; r < num_kernel_ranges; r++)
		if (kernel_ranges[r].hkr_level == t->it_ht.ht_level && kernel_ranges[r].hkr_start >= t->it_ht.ht_vaddr &&
		    kernel_ranges[r].hkr_start <= inv_last(t))
			return (true);
	return (false);
}

bool
inv_leaf(const inv_table_t *t, x86pte_t e)
{
	return (PTE_ISPAGE(e, t->it_ht.ht_level));
}

/* As many bytes as there are, n entries wide. A table inside its hat is ordinary memory, all others are frames. */
static bool
read_raw(const inv_table_t *t, uint_t first, uint_t n, void *to)
{
	paddr_t pa = pfn_to_pa(t->it_ht.ht_pfn) + first * mmu.pte_size;

	if (t->it_ht.ht_flags & HTABLE_VLP)
		return (peek(&t->it_hat->ih_addr->hat_vlp_ptes[first], to, n * sizeof(x86pte_t)));
	return (t->it_ht.ht_pfn != PFN_INVALID && peek_phys(pa, to, n * mmu.pte_size));
}

/* Entries 4 bytes wide are widened. */
static void
widen(x86pte_t *entries, uint_t n)
{
	const x86pte32_t *narrow = (const x86pte32_t *)entries;

	if (mmu.pte_size == sizeof(x86pte32_t))
		while (n-- > 0)
			entries[n] = narrow[n];
}

bool
inv_read(const inv_table_t *t, uint_t i, x86pte_t *e)
{
	if (!read_raw(t, i, 1, e))
		return (false);
	widen(e, 1);
	return (true);
}

/* A page of nothing? Most tables of the kernel are, where it has all of them from the start. */
static bool
is_zero(const ulong_t *p, size_t bytes)
{
	const ulong_t *end = p + bytes / sizeof(*p);

	for (; p + 8 <= end; p += 8)
		if ((p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) != 0)
			return (false);
	while (p < end && *p == 0)
		p++;
	return (p == end);
}

/* The entry through which the checker itself is looking just now is not one of the kernel's. */
bool
inv_read_into(const inv_table_t *t, x86pte_t *to, bool *zero)
{
	uint_t n = inv_nentries(t);

	if (!read_raw(t, 0, n, to))
		return (false);
	*zero = is_zero((const ulong_t *)to, n * mmu.pte_size);
	if (*zero)
		return (true);
	widen(to, n);
	if (t->it_hat->ih_kernel && t->it_ht.ht_level == 0 && check_window_va >= t->it_ht.ht_vaddr &&
	    check_window_va <= inv_last(t))
		to[(check_window_va >> PAGESHIFT) & (n - 1)] = 0;
	return (true);
}

/* Shell's: short, in place, and no worse for sorted input. */
void
inv_sort(void)
{
	for (uint_t gap = inv.nwords / 2; gap > 0; gap /= 2)
		for (uint_t i = gap; i < inv.nwords; i++) {
			uintptr_t w = inv.words[i];
			uint_t k = i;

			for (; k >= gap && inv.words[k - gap] > w; k -= gap)
				inv.words[k] = inv.words[k - gap];
			inv.words[k] = w;
		}
}
