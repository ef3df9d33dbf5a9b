/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 2, first half: addresses and indices, hashes, chains.
 *
 * Reference code: a student's copy is only what they act on. The functions here look at nothing but their arguments, so most
 * tables are made up: an object with a base and a level, and no frame. That way each geometry is seen in each kernel, that of a hat of four gigabytes too.
 */
#include <check/check.h>
#include <check/scratch.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>

#define NTRIES 24u

/* ------------------------------------------------------------------ tables that are made up */

#define NMADEUP (MAX_NUM_LEVEL + 1)
static htable_t madeup[NMADEUP];

static uintptr_t
table_size(const htable_t *ht)
{
	return (HTABLE_NUM_PTES(ht) * LEVEL_SIZE(ht->ht_level));
}

/* One for each level over va, and the top table of a hat of four gigabytes. Returns how many there are. */
static uint_t
make_up(hat_t *hat, uintptr_t va)
{
	uint_t n = 0;

	for (level_t l = 0; l <= mmu.max_level; l++) {
		htable_t *ht = &madeup[n++];

		*ht = (htable_t){ .ht_hat = hat, .ht_level = l, .ht_pfn = PFN_INVALID };
		if (l < mmu.max_level)
			ht->ht_vaddr = va & ~(table_size(ht) - 1);
	}
	if (mmu.max_level >= VLP_LEVEL)
		madeup[n++] = (htable_t){ .ht_hat = hat, .ht_level = VLP_LEVEL, .ht_flags = HTABLE_VLP, .ht_pfn = PFN_INVALID };
	return (n);
}

/* An address in the lower or in the upper half of all there are. */
static uintptr_t
half_va(bool upper)
{
	uintptr_t half = sizeof(uintptr_t) == 8 ? (uintptr_t)0xffff800000000000ull : (uintptr_t)0x80000000;
	uintptr_t va = check_va(0);

	return (upper ? va | half : va & ~half);
}

/* Computed without a shift: what an entry maps, sign-extended by hand. */
static uintptr_t
entry_va(const htable_t *ht, uint_t entry)
{
	uintptr_t va = ht->ht_vaddr + entry * LEVEL_SIZE(ht->ht_level);

	if (sizeof(va) == 8 && ((uint64_t)va & 0x800000000000ull))
		va |= (uintptr_t)0xffff000000000000ull;
	return (va);
}

static uintptr_t
random_offset(const htable_t *ht)
{
	return ((uintptr_t)check_random(LEVEL_SIZE(ht->ht_level)));
}

/* ------------------------------------------------------------------ htable_va2entry */

static void
want_index(const htable_t *ht, uint_t entry, uintptr_t offset)
{
	uintptr_t va = entry_va(ht, entry) + offset;
	uint_t have = htable_va2entry(va, ht);

	check_true(have == entry, "0x%lx in the level-%d table at 0x%lx (%u entries): index %u, want %u", (ulong_t)va, ht->ht_level,
	    (ulong_t)ht->ht_vaddr, HTABLE_NUM_PTES(ht), have, entry);
}

static void
want_indices(hat_t *hat, bool upper)
{
	uint_t n = make_up(hat, half_va(upper));

	copy_on(hat);
	for (uint_t i = 0; i < n; i++)
		for (uint_t k = 0; k < NTRIES; k++) {
			const htable_t *ht = &madeup[i];
			uint_t half = HTABLE_NUM_PTES(ht) / 2;
			uint_t entry = (uint_t)check_random(ht->ht_vaddr != 0 ? 2 * half : half);

			if (ht->ht_vaddr == 0 && upper)
				entry += half;
			want_index(ht, entry, random_offset(ht));
		}
	copy_off();
}

CHECK(index_levels, "index-levels", "htable_va2entry", 2, 4, NULL, CK_BARE) { want_indices(hat, false); }

CHECK(index_high, "index-high", "htable_va2entry", 2, 3, "index-levels", CK_BARE) { want_indices(hat, true); }

CHECK(index_edges, "index-edges", "htable_va2entry", 2, 2, "index-levels index-high", CK_BARE)
{
	uint_t n = make_up(hat, half_va(false));

	copy_on(hat);
	for (uint_t i = 0; i < n; i++) {
		const htable_t *ht = &madeup[i];
		uintptr_t last = LEVEL_SIZE(ht->ht_level) - 1;

		want_index(ht, 0, 0);
		want_index(ht, 0, last);
		want_index(ht, 1, 0);
		want_index(ht, HTABLE_NUM_PTES(ht) - 1, last);
	}
	copy_off();
}

static void
index_of(void *va)
{
	(void)htable_va2entry(*(uintptr_t *)va, &madeup[0]);
}

/* Assertions are part of the contract: without them a wrong table gives a wrong entry, and nobody notices. */
CHECK(index_outside, "index-outside", "htable_va2entry", 2, 1, "index-levels", CK_BARE)
{
	uintptr_t below, above;
	char text[160];

	(void)make_up(hat, half_va(false));
	below = madeup[0].ht_vaddr - 1;
	above = madeup[0].ht_vaddr + table_size(&madeup[0]);
	copy_on(hat);
	check_true(check_panics(index_of, &above, text, sizeof(text)), "0x%lx is behind the table at 0x%lx: no assertion",
	    (ulong_t)above, (ulong_t)madeup[0].ht_vaddr);
	check_true(check_panics(index_of, &below, text, sizeof(text)), "0x%lx is below the table at 0x%lx: no assertion",
	    (ulong_t)below, (ulong_t)madeup[0].ht_vaddr);
	copy_off();
}

/* ------------------------------------------------------------------ htable_e2va */

static void
want_address(const htable_t *ht, uint_t entry)
{
	uintptr_t have = htable_e2va(ht, entry), want = entry_va(ht, entry);

	check_true(have == want, "entry %u of the level-%d table at 0x%lx: address 0x%lx, want 0x%lx", entry, ht->ht_level,
	    (ulong_t)ht->ht_vaddr, (ulong_t)have, (ulong_t)want);
}

CHECK(address_levels, "address-levels", "htable_e2va", 2, 4, NULL, CK_BARE)
{
	uint_t n = make_up(hat, half_va(false));

	copy_on(hat);
	for (uint_t i = 0; i < n; i++) {
		uint_t half = HTABLE_NUM_PTES(&madeup[i]) / 2;

		want_address(&madeup[i], 0);
		want_address(&madeup[i], half - 1);
		for (uint_t k = 0; k < NTRIES; k++)
			want_address(&madeup[i], (uint_t)check_random(half));
	}
	copy_off();
}

/* Upper halves: of tables, and of all addresses. A 64-bit top table has a hole in its middle. */
CHECK(address_high, "address-high", "htable_e2va", 2, 4, "address-levels", CK_BARE)
{
	uint_t n = make_up(hat, half_va(true));

	copy_on(hat);
	for (uint_t i = 0; i < n; i++) {
		uint_t half = HTABLE_NUM_PTES(&madeup[i]) / 2;

		want_address(&madeup[i], half);
		want_address(&madeup[i], 2 * half - 1);
		for (uint_t k = 0; k < NTRIES; k++)
			want_address(&madeup[i], half + (uint_t)check_random(half));
	}
	copy_off();
}

static void
address_of(void *ht)
{
	(void)htable_e2va(ht, HTABLE_NUM_PTES((htable_t *)ht));
}

CHECK(address_outside, "address-outside", "htable_e2va", 2, 1, "address-levels", CK_BARE)
{
	uint_t n = make_up(hat, half_va(false));
	char text[160];

	copy_on(hat);
	for (uint_t i = 0; i < n; i++)
		check_true(check_panics(address_of, &madeup[i], text, sizeof(text)), "entry %u of a level-%d table: no assertion",
		    HTABLE_NUM_PTES(&madeup[i]), madeup[i].ht_level);
	copy_off();
}

/* ------------------------------------------------------------------ htable_hash */

#define NKEYS    64u
#define NSECRETS 16u
#define CHOOSES  255u /* bits that choose among the locks, and 32 chains behind each */

struct key {
	uintptr_t base;
	level_t level;
};

/* Odd, and the same for all seeds: whether a good hash looks good must not depend on luck. */
static uintptr_t
secret(uint_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ull;

	x ^= x >> 29;
	return ((uintptr_t)(x * 0xbf58476d1ce4e5b9ull >> (64 - 8 * sizeof(uintptr_t))) | 1);
}

/* The whole kernel uses that number: while it is another one nobody else may run here, and the others are idle. */
static void
hash_all(hat_t *hat, uintptr_t with, const struct key *key, uint_t n, uint_t *h)
{
	uintptr_t saved = htable_secret;

	kpreempt_disable();
	htable_secret = with;
	for (uint_t i = 0; i < n; i++)
		h[i] = htable_hash(hat, key[i].base, key[i].level);
	htable_secret = saved;
	kpreempt_enable();
}

static uint_t
equal_pairs(const uint_t *h, uint_t n)
{
	uint_t pairs = 0;

	for (uint_t i = 0; i < n; i++)
		for (uint_t k = 0; k < i; k++)
			pairs += ((h[i] ^ h[k]) & CHOOSES) == 0;
	return (pairs);
}

/* How many pairs of keys share lock and chain, over all secrets. */
static uint_t
collisions(hat_t *hat, const struct key *key, uint_t n)
{
	uint_t h[NKEYS], pairs = 0;

	for (uint_t i = 0; i < NSECRETS; i++) {
		hash_all(hat, secret(i), key, n, h);
		pairs += equal_pairs(h, n);
	}
	return (pairs);
}

/* Bases of tables of one level, `stride` apart, from 0 on, on this side of the hole. */
static uint_t
keys_apart(struct key *key, level_t level, uintptr_t stride)
{
	uintptr_t end = MIN(userlimit, mmu.hole_start);
	uint_t n = 0;

	for (uintptr_t base = 0; n < NKEYS && base < end; base += stride)
		key[n++] = (struct key){ base, level };
	return (n);
}

/* The number of a table's lock is for ever: not even more chains may change it. */
CHECK(hash_forever, "hash-forever", "htable_hash", 2, 3, NULL, CK_BARE)
{
	struct key key[NKEYS];
	uint_t first[NKEYS], second[NKEYS], n = keys_apart(key, 0, LEVEL_SIZE(1));

	copy_on(hat);
	for (uint_t i = 0; i < n; i++)
		first[i] = htable_hash(hat, key[i].base, key[i].level);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		hat->hat_chains[k].hc_mask = 63;
	for (uint_t i = 0; i < n; i++)
		second[i] = htable_hash(hat, key[i].base, key[i].level);
	for (uint_t k = 0; k < HAT_NLOCKS; k++)
		hat->hat_chains[k].hc_mask = HAT_MINCHAINS - 1;
	copy_off();
	for (uint_t i = 0; i < n; i++)
		check_true(first[i] == second[i], "hash of level %d, base 0x%lx: 0x%x, and 0x%x once there are more chains",
		    key[i].level, (ulong_t)key[i].base, first[i], second[i]);
}

static void
want_spread(hat_t *hat, level_t level, uintptr_t stride)
{
	struct key key[NKEYS];
	uint_t n = keys_apart(key, level, stride), have, fair;

	fair = NSECRETS * n * (n - 1) / 2 / (CHOOSES + 1);
	have = collisions(hat, key, n);
	check_true(have <= 6 * fair + NSECRETS,
	    "%u level-%d tables, 0x%lx apart: %u pairs on one chain (of %u hashes each), %u are fair", n, level, (ulong_t)stride,
	    have, NSECRETS, fair);
}

/* Neighbours; and pages as far apart as a program likes that wants all of its tables on one chain. */
CHECK(hash_spread, "hash-spread", "htable_hash", 2, 3, "hash-forever", CK_BARE)
{
	copy_on(hat);
	want_spread(hat, 0, LEVEL_SIZE(1));
	if (mmu.max_level > 1)
		want_spread(hat, 1, LEVEL_SIZE(2));
	want_spread(hat, 0, sizeof(uintptr_t) == 8 ? (uintptr_t)0x2000000000ull : (uintptr_t)0x4000000);
	copy_off();
}

/* All levels over address 0 have the same base. */
CHECK(hash_level, "hash-level", "htable_hash", 2, 2, "hash-forever", CK_BARE)
{
	struct key key[MAX_NUM_LEVEL];
	uint_t have, n = 0;

	for (level_t l = 0; l <= mmu.max_level; l++)
		key[n++] = (struct key){ 0, l };
	copy_on(hat);
	have = collisions(hat, key, n);
	copy_off();
	check_true(have < NSECRETS, "the tables of %u levels over address 0, %u hashes: %u pairs on one chain", n, NSECRETS, have);
}

CHECK(hash_secret, "hash-secret", "htable_hash", 2, 2, "hash-forever", CK_BARE)
{
	struct key key[NKEYS];
	uint_t one[NKEYS], two[NKEYS], n = keys_apart(key, 0, LEVEL_SIZE(1)), same = 0;

	copy_on(hat);
	hash_all(hat, secret(0), key, n, one);
	hash_all(hat, secret(1), key, n, two);
	copy_off();
	for (uint_t i = 0; i < n; i++)
		same += ((one[i] ^ two[i]) & CHOOSES) == 0;
	check_true(same < n / 2, "with another htable_secret %u of %u tables keep their chain", same, n);
}

/* ------------------------------------------------------------------ htable_chain_find */

#define NCHAIN 5u
static htable_t on_chain[NCHAIN];
static htable_t *many_heads[8];

/* Objects on one chain, however their hashes may be. The order in which they stand is drawn. */
static void
make_chain(hat_t *hat, htable_t **head, uintptr_t base)
{
	uintptr_t size = LEVEL_SIZE(1);
	const struct key key[NCHAIN] = { { base, 0 }, { base, 1 }, { base + size, 0 }, { base + 2 * size, 0 },
		{ base + 2 * size, 1 } };
	uint_t first = (uint_t)check_random(NCHAIN);

	*head = NULL;
	for (uint_t i = 0; i < NCHAIN; i++) {
		uint_t k = (first + i) % NCHAIN;
		htable_t *ht = &on_chain[k];

		*ht = (htable_t){ .ht_hat = hat,
			.ht_vaddr = key[k].base,
			.ht_level = key[k].level,
			.ht_next = *head,
			.ht_busy = (int32_t)k,
			.ht_pfn = PFN_INVALID };
		if (*head != NULL)
			(*head)->ht_prev = ht;
		*head = ht;
	}
}

static htable_t *
find(hat_t *hat, uint_t h, uintptr_t base, level_t level)
{
	htable_t *ht;

	mutex_enter(htable_lock(hat, h));
	ht = htable_chain_find(hat, h, base, level);
	mutex_exit(htable_lock(hat, h));
	return (ht);
}

static const char *
which(const htable_t *ht)
{
	static char text[64];

	if (ht == NULL)
		return ("none");
	snprintf(text, sizeof(text), "that of level %d at 0x%lx", ht->ht_level, (ulong_t)ht->ht_vaddr);
	return (text);
}

CHECK(find_chain, "find-chain", "htable_chain_find", 2, 4, NULL, CK_BARE)
{
	uint_t h = 9 * (uint_t)check_random(2);
	uintptr_t base = check_va(1), size = LEVEL_SIZE(1);
	const struct key missing[] = { { base + size, 1 }, { base + 3 * size, 0 }, { base, 2 } };

	make_chain(hat, htable_bucket(hat, h), base);
	copy_on(hat);
	for (uint_t i = 0; i < NCHAIN; i++) {
		const htable_t *ht = &on_chain[i], *found = find(hat, h, ht->ht_vaddr, ht->ht_level);

		check_true(found == ht, "looking for the table of level %d at 0x%lx in a chain of %u: found %s", ht->ht_level,
		    (ulong_t)ht->ht_vaddr, NCHAIN, which(found));
	}
	for (uint_t i = 0; i < NELEM(missing); i++) {
		const htable_t *found = find(hat, h, missing[i].base, missing[i].level);

		check_true(found == NULL, "there is no table of level %d at 0x%lx, but it found %s", missing[i].level,
		    (ulong_t)missing[i].base, which(found));
	}
	copy_off();
	for (uint_t i = 0; i < NCHAIN; i++)
		check_eq(on_chain[i].ht_busy, i, "ht_busy: finding takes no hold");
	*htable_bucket(hat, h) = NULL;
}

static void
want_only_on(hat_t *hat, uint_t h)
{
	uint_t chains = HAT_NLOCKS * (hat->hat_chains[0].hc_mask + 1);

	make_chain(hat, htable_bucket(hat, h), check_va(1));
	copy_on(hat);
	for (uint_t other = 0; other < chains; other++) {
		const htable_t *found = find(hat, other, on_chain[0].ht_vaddr, 0), *want = other == h ? &on_chain[0] : NULL;

		check_true(found == want, "the table is on the chain of hash %u (lock %u has %u chains); with hash %u it found %s",
		    h, h % HAT_NLOCKS, hat->hat_chains[0].hc_mask + 1, other, which(found));
	}
	copy_off();
	*htable_bucket(hat, h) = NULL;
}

/* The lowest bits of a hash choose the lock, the next ones the chain behind it: among as many as there are now. */
CHECK(find_chosen, "find-chosen", "htable_chain_find", 2, 3, "find-chain", CK_BARE)
{
	struct hat_chains *hc;

	want_only_on(hat, (uint_t)check_random(8));
	want_only_on(hat, 8 + (uint_t)check_random(8));
	for (uint_t k = 0; k < HAT_NLOCKS; k++) {
		hc = &hat->hat_chains[k];
		hc->hc_head = k == 5 ? many_heads : hat->hat_first_chains[k];
	}
	hat->hat_chains[5].hc_mask = NELEM(many_heads) - 1;
	for (uint_t i = 0; i < NELEM(many_heads); i++) {
		uint_t h = 5 + 8 * i;
		const htable_t *found;

		memset(many_heads, 0, sizeof(many_heads));
		make_chain(hat, &many_heads[i], check_va(1));
		copy_on(hat);
		found = find(hat, h, on_chain[0].ht_vaddr, 0);
		copy_off();
		check_true(
		    found == &on_chain[0], "hash %u, lock 5 has 8 chains: the table is on chain %u, found %s", h, i, which(found));
	}
	hat->hat_chains[5].hc_head = hat->hat_first_chains[5];
	hat->hat_chains[5].hc_mask = HAT_MINCHAINS - 1;
}

static void
find_bare(void *hat)
{
	(void)htable_chain_find(hat, 0, 0, 0);
}

CHECK(find_locked, "find-locked", "htable_chain_find", 2, 1, "find-chain", CK_BARE)
{
	char text[160];

	copy_on(hat);
	check_true(check_panics(find_bare, hat, text, sizeof(text)), "called without the lock of the chain: no assertion");
	copy_off();
}
