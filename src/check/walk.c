/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The independent table walker.
 *
 * The three formats differ in four numbers a level (how far to shift, how many entries, how many bytes each, may it be a
 * leaf), so that one loop serves all. A PAE directory pointer is the only entry without permissions: it allows everything.
 */
#include <check/peek_phys.h>
#include <check/walk.h>
#include <sys/string.h>
#include <x86/cpufunc.h>

#define WALK_CHUNK 64 /**< entries fetched at a time: half a KiB of stack for each of at most four levels */

struct walk_level {
	uint8_t shift;  /**< log2 of the bytes that one entry stands for */
	bool leaf;      /**< may bit 7 make it a leaf */
	uint16_t count; /**< entries that the MMU reads */
};

static const struct walk_level walk_long[] = { { 12, true, 512 }, { 21, true, 512 }, { 30, true, 512 }, { 39, false, 512 } };
static const struct walk_level walk_pae[] = { { 12, true, 512 }, { 21, true, 512 }, { 30, false, 4 } };
static const struct walk_level walk_nonpae[] = { { 12, true, 1024 }, { 22, true, 1024 } };

/** One walk in progress: what is the same at all levels. */
struct walker {
	walk_mode_t mode;
	const struct walk_level *levels;
	uint64_t first, last;
	bool (*fn)(const walk_leaf_t *, void *);           /**< or NULL */
	bool (*link)(uint64_t, level_t, x86pte_t, void *); /**< or NULL */
	void *arg;
};

walk_mode_t
walk_mode(void)
{
	if ((read_cr4() & CR4_PAE) == 0)
		return (WALK_NONPAE);
	return (rdmsr(MSR_EFER) & EFER_LMA ? WALK_LONG : WALK_PAE);
}

paddr_t
walk_root(void)
{
	return (read_cr3() & (walk_mode() == WALK_PAE ? ~(paddr_t)31 : ~(paddr_t)PAGEOFFSET));
}

level_t
walk_top(walk_mode_t mode)
{
	return (mode == WALK_LONG ? 3 : mode == WALK_PAE ? 2 : 1);
}

static const struct walk_level *
walk_levels(walk_mode_t mode)
{
	return (mode == WALK_LONG ? walk_long : mode == WALK_PAE ? walk_pae : walk_nonpae);
}

static size_t
entry_size(walk_mode_t mode)
{
	return (mode == WALK_NONPAE ? sizeof(x86pte32_t) : sizeof(x86pte_t));
}

/* Entries of 4 bytes are widened: the bits that both formats have are at the same places. */
static bool
fetch(walk_mode_t mode, paddr_t pa, x86pte_t *entries, uint_t n)
{
	x86pte32_t narrow[WALK_CHUNK];

	if (mode != WALK_NONPAE)
		return (peek_phys(pa, entries, n * sizeof(x86pte_t)));
	if (!peek_phys(pa, narrow, n * sizeof(x86pte32_t)))
		return (false);
	for (uint_t i = 0; i < n; i++)
		entries[i] = narrow[i];
	return (true);
}

/* With 4-byte entries, bit 7 means something only where CR4.PSE is on. */
static bool
is_leaf(const struct walker *w, x86pte_t e, level_t l)
{
	bool large = w->mode != WALK_NONPAE || (read_cr4() & CR4_PSE) != 0;

	return (l == 0 || (large && w->levels[l].leaf && (e & PT_PAGESIZE) != 0));
}

/* A large leaf of 4 bytes has address bits 32-39 at 13-20 [SDM3 4.3]. */
static paddr_t
leaf_address(const struct walker *w, x86pte_t e, level_t l)
{
	paddr_t low = e & PT_PADDR & ~((1ull << w->levels[l].shift) - 1);

	return (w->mode == WALK_NONPAE && l > 0 ? low | (e >> 13 & 0xff) << 32 : low);
}

/* In long mode bit 47 is copied upward: the upper half of the top table stands above the hole. */
static uint64_t
canonical(const struct walker *w, uint64_t va)
{
	if (w->mode == WALK_LONG && (va & (1ull << 47)) != 0)
		va |= 0xffff000000000000ull;
	return (va);
}

/* Narrow what the path allows by one more entry. */
static void
allow(const struct walker *w, walk_leaf_t *path, x86pte_t e, level_t l)
{
	if (w->mode == WALK_PAE && l == 2)
		return;
	path->wl_user = path->wl_user && (e & PT_USER) != 0;
	path->wl_write = path->wl_write && (e & PT_WRITABLE) != 0;
	if (w->mode != WALK_NONPAE)
		path->wl_exec = path->wl_exec && (e & PT_NX) == 0;
}

static void
fill_leaf(const struct walker *w, walk_leaf_t *leaf, x86pte_t e, level_t l, uint64_t va)
{
	leaf->wl_size = 1ull << w->levels[l].shift;
	leaf->wl_va = canonical(w, va);
	leaf->wl_pa = leaf_address(w, e, l);
	leaf->wl_entry = e;
	leaf->wl_level = l;
	allow(w, leaf, e, l);
}

static bool walk_table(struct walker *w, paddr_t table, level_t l, uint64_t base, const walk_leaf_t *path);

static bool
walk_one(struct walker *w, const walk_leaf_t *path, x86pte_t e, paddr_t where, level_t l, uint64_t va)
{
	walk_leaf_t here = *path;

	if ((e & PT_VALID) == 0)
		return (true);
	if (is_leaf(w, e, l)) {
		fill_leaf(w, &here, e, l, va);
		here.wl_entry_pa = where;
		return (w->fn == NULL || w->fn(&here, w->arg));
	}
	if (w->link != NULL && !w->link(canonical(w, va), l - 1, e, w->arg))
		return (false);
	if (w->fn == NULL && l == 1)
		return (true);
	allow(w, &here, e, l);
	return (walk_table(w, e & PT_PADDR, l - 1, va, &here));
}

/* All entries of one table that touch [first, last], a chunk at a time. `base` is the first address that it covers. */
static bool
walk_table(struct walker *w, paddr_t table, level_t l, uint64_t base, const walk_leaf_t *path)
{
	x86pte_t chunk[WALK_CHUNK];
	uint_t count = w->levels[l].count, size = entry_size(w->mode);
	uint64_t bytes = 1ull << w->levels[l].shift;

	for (uint_t i = 0; i < count; i += WALK_CHUNK) {
		uint_t n = MIN(count - i, (uint_t)WALK_CHUNK);

		if (canonical(w, base + (i + n) * bytes - 1) < w->first || canonical(w, base + i * bytes) > w->last)
			continue;
		if (!fetch(w->mode, table + i * size, chunk, n))
			return (false);
		for (uint_t k = 0; k < n; k++) {
			uint64_t va = base + (i + k) * bytes;

			if (chunk[k] == 0 || canonical(w, va + bytes - 1) < w->first || canonical(w, va) > w->last)
				continue;
			if (!walk_one(w, path, chunk[k], table + (i + k) * size, l, va))
				return (false);
		}
	}
	return (true);
}

static bool
walk(struct walker *w, paddr_t root)
{
	walk_leaf_t path;

	memset(&path, 0, sizeof(path));
	path.wl_user = path.wl_write = path.wl_exec = true;
	return (walk_table(w, root, walk_top(w->mode), 0, &path));
}

bool
walk_range(walk_mode_t mode, paddr_t root, uint64_t first, uint64_t last, bool (*fn)(const walk_leaf_t *, void *), void *arg)
{
	struct walker w = { mode, walk_levels(mode), first, last, fn, NULL, arg };

	return (walk(&w, root));
}

bool
walk_tables(
    walk_mode_t mode, paddr_t root, uint64_t first, uint64_t last, bool (*fn)(uint64_t, level_t, x86pte_t, void *), void *arg)
{
	struct walker w = { mode, walk_levels(mode), first, last, NULL, fn, arg };

	return (walk(&w, root));
}

static bool
keep_leaf(const walk_leaf_t *leaf, void *arg)
{
	*(walk_leaf_t *)arg = *leaf;
	return (false);
}

bool
walk_lookup(walk_mode_t mode, paddr_t root, uint64_t va, walk_leaf_t *leaf)
{
	memset(leaf, 0, sizeof(*leaf));
	(void)walk_range(mode, root, va, va, keep_leaf, leaf);
	return (leaf->wl_size != 0);
}

bool
walk_entry(walk_mode_t mode, paddr_t root, uint64_t va, level_t level, x86pte_t *entry, paddr_t *where)
{
	const struct walk_level *levels = walk_levels(mode);
	struct walker w = { mode, levels, va, va, NULL, NULL, NULL };

	for (level_t l = walk_top(mode);; l--) {
		paddr_t at = root + ((va >> levels[l].shift) & (levels[l].count - 1)) * entry_size(mode);

		if (!fetch(mode, at, entry, 1))
			return (false);
		if (where != NULL)
			*where = at;
		if (l == level)
			return (true);
		if ((*entry & PT_VALID) == 0 || is_leaf(&w, *entry, l))
			return (false);
		root = *entry & PT_PADDR;
	}
}
