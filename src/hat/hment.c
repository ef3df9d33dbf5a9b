/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Mapping lists.
 *
 * Objects come from where htables come from (spec 4.7): a cache whose slabs need one VA allocation, and a reserve for threads that
 * must not allocate, filled by those who may. Slabs are mapped without records, so the recursion ends at depth two. No mapping
 * of another page is ever stolen: a user page costs an object only from its second mapping on, and who finds no memory waits
 * for the reaper as htable_alloc_fallback() does.
 */
#include <hat/hment.h>
#include <hat/htable_impl.h>
#include <sys/thread.h>
#include <sys/tunable.h>

#define HMENT_RESERVE_AMOUNT 200 /**< a claim of 512 consecutive faults finds enough without a slab */

hment_t **hment_hash_table;
kmem_cache_t *hment_cache;
hment_t *hment_reserve_pool;
uint_t hment_reserve_cnt;
uint64_t hment_reserve_amount = HMENT_RESERVE_AMOUNT;
TUNABLE_NUMBER(hment_reserve_amount, "hment_reserve_amount", "steady number of mapping records in the reserve");

static kmutex_t *list_locks; /* NULL until hment_init() */
static kmutex_t *bucket_locks;
static kmutex_t reserve_lock;

/* 2^32 over the golden ratio carries all bits into the top ones. */
static uint_t
spread(uint32_t x, uint_t n)
{
	return ((uint_t)(((uint64_t)(x * 0x9e3779b1u) * n) >> 32));
}

/* ------------------------------------------------------------------ locks */

static kmutex_t *
list_lock(const page_t *pp)
{
	return (&list_locks[spread((uint32_t)pp->p_pagenum, HMENT_NLOCKS)]);
}

void
x86_hm_enter(page_t *pp)
{
	if (list_locks != NULL)
		mutex_enter(list_lock(pp));
}

void
x86_hm_exit(page_t *pp)
{
	if (list_locks != NULL)
		mutex_exit(list_lock(pp));
}

bool
x86_hm_held(page_t *pp)
{
	return (list_locks == NULL || MUTEX_HELD(list_lock(pp)));
}

static bool
in_array(const kmutex_t *m, const kmutex_t *array)
{
	return (array != NULL && m >= array && m < array + HMENT_NLOCKS);
}

enum hment_lock
hment_lock_kind(const kmutex_t *m)
{
	if (in_array(m, list_locks))
		return (HMENT_LIST_LOCK);
	return (in_array(m, bucket_locks) || m == &reserve_lock ? HMENT_LEAF_LOCK : HMENT_NO_LOCK);
}

/* ------------------------------------------------------------------ objects */

static void
put_reserve(hment_t *hm)
{
	mutex_enter(&reserve_lock);
	hm->hm_next = hment_reserve_pool;
	hment_reserve_pool = hm;
	hment_reserve_cnt++;
	mutex_exit(&reserve_lock);
}

static hment_t *
get_reserve(void)
{
	hment_t *hm;

	mutex_enter(&reserve_lock);
	hm = hment_reserve_pool;
	if (hm != NULL) {
		hment_reserve_pool = hm->hm_next;
		hment_reserve_cnt--;
	}
	mutex_exit(&reserve_lock);
	return (hm);
}

/** From the reserve, for those who must; and in need for everybody. */
static hment_t *
alloc_in_need(void)
{
	hment_t *hm = get_reserve();

	if (hm == NULL && use_hat_reserves())
		panic("hment_prepare: the reserve is empty");
	return (hm);
}

/* Who may allocate fills a low reserve first. Asked afresh each time: the allocator may have re-entered the HAT. */
static hment_t *
hment_alloc(void)
{
	hment_t *hm;

	for (;;) {
		if (use_hat_reserves())
			return (alloc_in_need());
		hm = kmem_cache_alloc(hment_cache, can_steal_post_boot ? KM_NOSLEEP : KM_SLEEP);
		if (hm == NULL && (hm = alloc_in_need()) != NULL)
			return (hm);
		if (hm == NULL) {
			kmem_reap_sync();
			thread_yield();
		} else if (use_hat_reserves() || hment_reserve_cnt >= hment_reserve_amount) {
			return (hm);
		} else {
			put_reserve(hm);
		}
	}
}

void
hment_free(hment_t *hm)
{
	while (hm != NULL) {
		hment_t *next = hm->hm_next;

		if (use_hat_reserves() || hment_reserve_cnt < hment_reserve_amount)
			put_reserve(hm);
		else
			kmem_cache_free(hment_cache, hm);
		hm = next;
	}
	hment_adjust_reserve();
}

void
hment_adjust_reserve(void)
{
	while (hment_reserve_cnt > hment_reserve_amount && !use_hat_reserves()) {
		hment_t *hm = get_reserve();

		if (hm == NULL)
			return;
		kmem_cache_free(hment_cache, hm);
	}
}

void
hment_reserve(uint_t count)
{
	while (count-- > 0) {
		hment_t *hm = kmem_cache_alloc(hment_cache, KM_NOSLEEP);

		if (hm == NULL)
			panic("hment_reserve: %u objects short", count + 1);
		put_reserve(hm);
	}
}

void
hment_init(void)
{
	hment_cache = kmem_cache_create("hment_t", sizeof(hment_t), 0, NULL, NULL, NULL, NULL, hat_memload_arena, KMC_NOHASH);
	hment_hash_table = kmem_zalloc(HMENT_NHASH * sizeof(hment_t *), KM_SLEEP);
	bucket_locks = kmem_zalloc(HMENT_NLOCKS * sizeof(kmutex_t), KM_SLEEP);
	list_locks = kmem_zalloc(HMENT_NLOCKS * sizeof(kmutex_t), KM_SLEEP);
}

/* ------------------------------------------------------------------ the hash */

uint_t
hment_hash(pfn_t table, uint_t entry)
{
	return (spread((uint32_t)(table << 10) ^ entry, HMENT_NHASH));
}

static kmutex_t *
bucket_enter(uint_t b)
{
	kmutex_t *m = &bucket_locks[b & (HMENT_NLOCKS - 1)];

	mutex_enter(m);
	return (m);
}

static void
hash_insert(hment_t *hm)
{
	uint_t b = hment_hash(hm->hm_pfn, hm->hm_entry);
	kmutex_t *m = bucket_enter(b);

	hm->hm_hashnext = hment_hash_table[b];
	hment_hash_table[b] = hm;
	mutex_exit(m);
}

/** The record of an entry, taken out of the hash if `take`; NULL: there is none. */
static hment_t *
hash_find(const htable_t *ht, uint_t entry, bool take)
{
	uint_t b = hment_hash(ht->ht_pfn, entry);
	kmutex_t *m = bucket_enter(b);
	hment_t **p = &hment_hash_table[b], *hm;

	while ((hm = *p) != NULL && (hm->hm_pfn != ht->ht_pfn || hm->hm_entry != entry))
		p = &hm->hm_hashnext;
	if (hm != NULL && take)
		*p = hm->hm_hashnext;
	mutex_exit(m);
	return (hm);
}

/* ------------------------------------------------------------------ lists */

static void
record_insert(page_t *pp, hment_t *hm, htable_t *ht, uint_t entry)
{
	hment_t *head = pp->p_mapping;

	hm->hm_htable = ht;
	hm->hm_pfn = ht->ht_pfn;
	hm->hm_entry = entry;
	hm->hm_prev = NULL;
	hm->hm_next = head;
	if (head != NULL)
		head->hm_prev = hm;
	pp->p_mapping = hm;
	pp->p_share++;
	hash_insert(hm);
}

static void
record_remove(page_t *pp, hment_t *hm)
{
	if (hm->hm_next != NULL)
		hm->hm_next->hm_prev = hm->hm_prev;
	if (hm->hm_prev != NULL)
		hm->hm_prev->hm_next = hm->hm_next;
	else
		pp->p_mapping = hm->hm_next;
	pp->p_share--;
	hm->hm_next = NULL;
}

static void
embed(page_t *pp, htable_t *ht, uint_t entry)
{
	pp->p_embed = 1;
	pp->p_mapping = ht;
	pp->p_mlentry = (uint16_t)entry;
}

static bool
is_embedded(const page_t *pp, const htable_t *ht, uint_t entry)
{
	return (pp->p_embed && pp->p_mapping == ht && pp->p_mlentry == entry);
}

/** Objects needed to record one mapping more: the second one moves the embedded one to a list, too. */
static uint_t
objects_needed(page_t *pp, htable_t *ht, uint_t entry)
{
	if (pp->p_mapping == NULL || is_embedded(pp, ht, entry))
		return (0);
	if (pp->p_embed)
		return (2);
	return (hash_find(ht, entry, false) != NULL ? 0 : 1);
}

hment_t *
hment_prepare(htable_t *ht, uint_t entry, page_t *pp)
{
	hment_t *spare = NULL, *hm;

	ASSERT(x86_hm_held(pp));
	for (uint_t have = 0; have < objects_needed(pp, ht, entry); have++) {
		x86_hm_exit(pp);
		hm = hment_alloc();
		hm->hm_next = spare;
		spare = hm;
		x86_hm_enter(pp); /* the list may have changed: ask again */
	}
	return (spare);
}

/** Take the first of a chain of unused objects. */
static hment_t *
take_spare(hment_t **chain)
{
	hment_t *hm = *chain;

	ASSERT(hm != NULL);
	*chain = hm->hm_next;
	return (hm);
}

hment_t *
hment_assign(htable_t *ht, uint_t entry, page_t *pp, hment_t *hm)
{
	ASSERT(x86_hm_held(pp));
	ASSERT(ht->ht_pfn != PFN_INVALID);
	if (pp->p_mapping == NULL) {
		embed(pp, ht, entry);
		return (hm);
	}
	if (pp->p_embed) {
		htable_t *first = pp->p_mapping;

		pp->p_embed = 0;
		pp->p_mapping = NULL;
		record_insert(pp, take_spare(&hm), first, pp->p_mlentry);
	}
	record_insert(pp, take_spare(&hm), ht, entry);
	return (hm);
}

hment_t *
hment_remove(page_t *pp, htable_t *ht, uint_t entry)
{
	hment_t *hm, *last;

	ASSERT(x86_hm_held(pp));
	if (is_embedded(pp, ht, entry)) {
		pp->p_embed = 0;
		pp->p_mapping = NULL;
		return (NULL);
	}
	hm = pp->p_embed ? NULL : hash_find(ht, entry, true);
	if (hm == NULL)
		panic("hment_remove: page 0x%lx does not know that entry %u of table %p maps it", pp->p_pagenum, entry, (void *)ht);
	record_remove(pp, hm);
	if (pp->p_share == 1) {
		last = pp->p_mapping;
		(void)hash_find(last->hm_htable, last->hm_entry, true);
		record_remove(pp, last);
		embed(pp, last->hm_htable, last->hm_entry);
		hm->hm_next = last;
	}
	return (hm);
}

hment_t *
hment_walk(page_t *pp, htable_t **htp, uint_t *entryp, hment_t *prev)
{
	hment_t *hm;

	ASSERT(x86_hm_held(pp));
	if (prev == HMENT_EMBEDDED)
		return (NULL);
	if (pp->p_embed) {
		*htp = pp->p_mapping;
		*entryp = pp->p_mlentry;
		return (HMENT_EMBEDDED);
	}
	hm = prev == NULL ? pp->p_mapping : prev->hm_next;
	if (hm != NULL) {
		*htp = hm->hm_htable;
		*entryp = hm->hm_entry;
	}
	return (hm);
}

/** Mappings by leaves of one level, on the list of the page that keeps them. */
static uint_t
count_level(page_t *pp, level_t level)
{
	htable_t *ht;
	uint_t entry, n = 0;

	x86_hm_enter(pp);
	for (hment_t *hm = hment_walk(pp, &ht, &entry, NULL); hm != NULL; hm = hment_walk(pp, &ht, &entry, hm))
		n += ht->ht_level == level;
	x86_hm_exit(pp);
	return (n);
}

uint_t
hment_mapcnt(page_t *pp)
{
	uint_t n = 0;

	for (level_t l = 0; l <= (level_t)pp->p_szc; l++)
		n += count_level(page_leader(pp, l), l);
	return (n);
}
