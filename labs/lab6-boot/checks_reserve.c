/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 6: the cache of objects, the reserve, and who takes from which. Reference code: a student's copy is only
 * what they act on.
 *
 * There is one reserve for everybody. Each check puts another one in its place meanwhile, so that what a broken copy does to it is
 * gone when the check is over.
 */
#include <check/check.h>
#include <check/trial.h>
#include <hat/htable_impl.h>
#include <sys/mutex.h>
#include <sys/thread.h>

#define MOST 16 /* objects in a reserve of ours */

/** What everybody uses, while a check has its own. */
static struct {
	bool away;
	htable_t *pool;
	uint_t cnt;
	uint64_t amount, boot, steal, fail;
	struct kthread *thread;
} real;

/** Ours: object 0 lies at the bottom. */
static htable_t *ours[MOST];
static size_t inuse; /* objects taken from the cache, when it began */

static void
reserve_back(void)
{
	if (!real.away)
		return;
	htable_reserve_pool = real.pool;
	htable_reserve_cnt = real.cnt;
	htable_reserve_amount = real.amount;
	use_boot_reserve = real.boot;
	can_steal_post_boot = real.steal;
	kmem_fail_after = real.fail;
	curthread->t_flags &= ~T_VMPOPULATOR;
	real.away = false;
}

static htable_t *
object(void)
{
	htable_t *ht = kmem_cache_alloc(htable_cache, KM_SLEEP);

	ht->ht_pfn = PFN_INVALID;
	return (ht);
}

/* From here on the reserve has n objects, and should have `amount`. */
static void
reserve_ours(uint_t n, uint_t amount)
{
	htable_t *top = NULL;

	for (uint_t i = 0; i < MOST; i++) /* more than are needed: now there is a slab with free ones */
		ours[i] = object();
	for (uint_t i = n; i < MOST; i++)
		kmem_cache_free(htable_cache, ours[i]);
	for (uint_t i = 0; i < n; i++) {
		ours[i]->ht_hat = NULL;
		ours[i]->ht_next = top;
		top = ours[i];
	}
	real.pool = htable_reserve_pool;
	real.cnt = htable_reserve_cnt;
	real.amount = htable_reserve_amount;
	real.boot = use_boot_reserve;
	real.steal = can_steal_post_boot;
	real.fail = kmem_fail_after;
	real.away = true;
	check_finally(reserve_back);
	htable_reserve_pool = top;
	htable_reserve_cnt = n;
	htable_reserve_amount = amount;
	inuse = kmem_cache_inuse(htable_cache);
}

/* It is as it should be: n objects, none of them with an owner or a frame. */
static void
look_at_reserve(uint_t n, const char *when)
{
	const htable_t *ht = htable_reserve_pool;
	uint_t found = 0;

	check_true(htable_reserve_cnt == n, "htable_reserve_cnt is %u %s, want %u", htable_reserve_cnt, when, n);
	for (; ht != NULL && found <= n; ht = ht->ht_next, found++) {
		check_true(ht->ht_hat == NULL, "an object in the reserve belongs to an address space: ht_hat is %p %s",
		    (void *)ht->ht_hat, when);
		check_true(ht->ht_pfn == PFN_INVALID, "an object in the reserve has frame 0x%lx %s", ht->ht_pfn, when);
	}
	check_true(found == n, "there are %s%u objects on the stack %s, want %u", found > n ? "more than " : "",
	    found > n ? n : found, when, n);
}

/* How many more objects are out than when it began. */
static void
look_at_cache(long want, const char *when)
{
	long have = (long)kmem_cache_inuse(htable_cache) - (long)inuse;

	check_true(have == want, "%ld objects more than before are out of htable_cache %s, want %ld", have, when, want);
}

/* The check has passed: everything that is left in our reserve goes back to the cache. */
static void
done(void)
{
	htable_t *ht = htable_reserve_pool, *next;

	reserve_back();
	for (; ht != NULL; ht = next) {
		next = ht->ht_next;
		kmem_cache_free(htable_cache, ht);
	}
}

/* ------------------------------------------------------------------ htable_reserve */

CHECK(reserve_put, "reserve-put", "htable_reserve", 6, 5, NULL, CK_BARE)
{
	htable_t *a, *b;

	reserve_ours(1, MOST);
	a = object();
	b = object();
	a->ht_hat = b->ht_hat = hat;
	copy_on(hat);
	htable_put_reserve(a);
	copy_off();
	check_true(htable_reserve_pool == a, "the top of the reserve is %p after %p was put there", (void *)htable_reserve_pool,
	    (void *)a);
	look_at_reserve(2, "after one was put to one");
	copy_on(hat);
	htable_put_reserve(b);
	copy_off();
	check_true(htable_reserve_pool == b && b->ht_next == a,
	    "the reserve is no stack: its top is %p, below it %p; want %p and %p", (void *)htable_reserve_pool, (void *)b->ht_next,
	    (void *)b, (void *)a);
	look_at_reserve(3, "after one was put to two");
	done();
}

CHECK(reserve_get, "reserve-get", "htable_reserve", 6, 6, NULL, CK_BARE)
{
	htable_t *got[3];

	reserve_ours(2, MOST);
	for (uint_t i = 0; i < NELEM(got); i++) {
		copy_on(hat);
		got[i] = htable_get_reserve();
		copy_off();
		look_at_reserve(i == 0, "after taking one");
	}
	check_true(got[0] == ours[1] && got[1] == ours[0], "taken were %p, then %p; the top was %p, below it %p", (void *)got[0],
	    (void *)got[1], (void *)ours[1], (void *)ours[0]);
	check_true(got[2] == NULL, "taken from an empty reserve: %p, want NULL", (void *)got[2]);
	for (uint_t i = 0; i < 2; i++) {
		check_eq((uintptr_t)got[i]->ht_hat, 0, "ht_hat of an object from the reserve");
		check_true(got[i]->ht_pfn == PFN_INVALID, "an object from the reserve has frame 0x%lx", got[i]->ht_pfn);
		kmem_cache_free(htable_cache, got[i]);
	}
	done();
}

/* Both wait for the mutex: for this thread, which holds it already, that is a panic. */
static void
put_locked(void *ht)
{
	mutex_enter(&htable_reserve_mutex);
	htable_put_reserve(ht);
	mutex_exit(&htable_reserve_mutex);
}

static void
get_locked(void *arg)
{
	(void)arg;
	mutex_enter(&htable_reserve_mutex);
	(void)htable_get_reserve();
	mutex_exit(&htable_reserve_mutex);
}

CHECK(reserve_lock, "reserve-lock", "htable_reserve", 6, 3, "reserve-put reserve-get", CK_BARE)
{
	htable_t *ht;
	char text[160];
	bool put, get;

	reserve_ours(2, MOST);
	ht = object();
	copy_on(hat);
	put = check_panics(put_locked, ht, text, sizeof(text));
	get = check_panics(get_locked, NULL, text, sizeof(text));
	copy_off();
	check_true(put, "htable_put_reserve() does not wait for htable_reserve_mutex");
	check_true(get, "htable_get_reserve() does not wait for htable_reserve_mutex");
	look_at_reserve(2, "after nobody could have the mutex");
	kmem_cache_free(htable_cache, ht);
	done();
}

/* What it does with so many objects when so many are wanted. */
static void
adjust(hat_t *hat, uint_t n, uint_t amount, const char *when)
{
	uint_t left = MIN(n, amount);

	reserve_ours(n, amount);
	copy_on(hat);
	htable_adjust_reserve();
	copy_off();
	look_at_reserve(left, when);
	look_at_cache((long)left - (long)n, when);
	done();
}

CHECK(reserve_adjust, "reserve-adjust", "htable_reserve", 6, 4, "reserve-get", CK_BARE)
{
	adjust(hat, 7, 3, "after adjusting 7 to 3");
	adjust(hat, 4, 3, "after adjusting 4 to 3");
	adjust(hat, 3, 3, "after adjusting 3 to 3");
	adjust(hat, 2, 3, "after adjusting 2 to 3: it takes none from the cache");
	adjust(hat, 3, 0, "after adjusting 3 to 0");
}

CHECK(reserve_own, "reserve-own", "htable_reserve", 6, 2, "reserve-adjust", CK_BARE)
{
	reserve_ours(5, 2);
	curthread->t_flags |= T_VMPOPULATOR;
	copy_on(hat);
	htable_adjust_reserve();
	copy_off();
	curthread->t_flags &= ~T_VMPOPULATOR;
	look_at_reserve(5, "after a thread that lives on the reserve has adjusted it: that must wait for another thread");
	look_at_cache(0, "after that");
	done();
}

/* As if it were booting. New objects need new slabs, and those perhaps page tables, which come from the same reserve then. */
CHECK(reserve_initial, "reserve-initial", "htable_reserve", 6, 4, "reserve-put", CK_BARE)
{
	uint_t count = 3 + (uint_t)check_random(20), want = count + HTABLE_RESERVE_AMOUNT;
	uint32_t tables;

	reserve_ours(MOST, MOST);
	tables = active_ptables;
	use_boot_reserve = 1;
	copy_on(hat);
	htable_initial_reserve(count);
	copy_off();
	use_boot_reserve = real.boot;
	check_note("asked for %u, with the margin %u", count, want);
	look_at_cache((long)want, "after the reserve was filled for boot");
	look_at_reserve(MOST + want - (active_ptables - tables), "after it was filled for boot");
	done();
}

/* ------------------------------------------------------------------ htable_object */

/* Full: the cache is asked, and nobody touches the reserve. */
CHECK(object_cache, "object-cache", "htable_object", 6, 3, NULL, CK_BARE)
{
	htable_t *ht;

	reserve_ours(3, 3);
	copy_on(hat);
	ht = htable_object_get();
	copy_off();
	check_true(ht != NULL, "no object, though the cache has some");
	look_at_reserve(3, "after an object was taken from the cache");
	look_at_cache(1, "after taking one");
	check_true(ht->ht_pfn == PFN_INVALID, "ht_pfn of an object without a frame is 0x%lx, want PFN_INVALID", ht->ht_pfn);
	kmem_cache_free(htable_cache, ht);
	done();
}

CHECK(object_donates, "object-donates", "htable_object", 6, 4, "object-cache", CK_BARE)
{
	htable_t *ht;

	reserve_ours(2, 5);
	copy_on(hat);
	ht = htable_object_get();
	copy_off();
	check_true(ht != NULL, "no object, though the cache has some");
	look_at_reserve(5, "after a thread came that may use the cache, and found 2 where 5 should be");
	look_at_cache(4, "after that: three for the reserve, one for the caller");
	for (const htable_t *r = htable_reserve_pool; r != NULL; r = r->ht_next)
		check_true(r != ht, "the object %p was returned, and is in the reserve as well", (void *)ht);
	check_true(ht->ht_pfn == PFN_INVALID, "ht_pfn of an object without a frame is 0x%lx, want PFN_INVALID", ht->ht_pfn);
	kmem_cache_free(htable_cache, ht);
	done();
}

CHECK(object_lives, "object-lives", "htable_object", 6, 3, "object-cache", CK_BARE)
{
	htable_t *got[2];

	reserve_ours(1, 3);
	curthread->t_flags |= T_VMPOPULATOR;
	for (uint_t i = 0; i < NELEM(got); i++) {
		copy_on(hat);
		got[i] = htable_object_get();
		copy_off();
	}
	curthread->t_flags &= ~T_VMPOPULATOR;
	look_at_cache(0, "after a thread that must not allocate has taken one");
	check_true(got[0] == ours[0], "a thread that lives on the reserve got %p, want the reserve's top %p", (void *)got[0],
	    (void *)ours[0]);
	check_true(got[1] == NULL, "a thread that lives on the reserve got %p, though it was empty", (void *)got[1]);
	look_at_reserve(0, "after its only one was taken");
	kmem_cache_free(htable_cache, got[0]);
	done();
}

/* Once tables can be stolen that is what the caller does, at once; before, there is nothing to do but wait. */
CHECK(object_waits, "object-waits", "htable_object", 6, 3, "object-cache", CK_BARE)
{
	htable_t *now, *later;

	reserve_ours(0, 0);
	kmem_fail_after = 1;
	can_steal_post_boot = 1;
	copy_on(hat);
	now = htable_object_get();
	copy_off();
	can_steal_post_boot = 0;
	copy_on(hat);
	later = htable_object_get();
	copy_off();
	kmem_fail_after = real.fail;
	check_true(now == NULL, "memory was waited for, though tables can be stolen: KM_NOSLEEP");
	check_true(later != NULL, "NULL, while nothing can be stolen yet: KM_SLEEP");
	kmem_cache_free(htable_cache, later);
	done();
}

/* Back to the reserve: when it is low, and when the thread lives on it. */
CHECK(object_refills, "object-refills", "htable_object", 6, 3, NULL, CK_BARE)
{
	htable_t *a, *b;

	reserve_ours(2, 3);
	a = object();
	b = object();
	copy_on(hat);
	htable_object_put(a);
	copy_off();
	look_at_reserve(3, "after an object was given back when 2 were there and 3 should be");
	curthread->t_flags |= T_VMPOPULATOR;
	copy_on(hat);
	htable_object_put(b);
	copy_off();
	curthread->t_flags &= ~T_VMPOPULATOR;
	look_at_reserve(4, "after a thread that lives on the reserve gave one back when 3 were there and 3 should be");
	look_at_cache(2, "after that");
	done();
}

/* Else to the cache, and what the reserve has too many of goes with it. */
CHECK(object_trims, "object-trims", "htable_object", 6, 2, "object-refills", CK_BARE)
{
	htable_t *ht;

	reserve_ours(5, 2);
	ht = object();
	copy_on(hat);
	htable_object_put(ht);
	copy_off();
	look_at_reserve(2, "after an object was given back when 5 were there and 2 should be");
	look_at_cache(-3, "after that: it, and three from the reserve, went back");
	done();
}

/* ------------------------------------------------------------------ htable_init, at power-on */

/* Reclaiming asks every cache. */
CHECK(init_reclaim, "init-reclaim", "htable_init", 6, 3, NULL, CK_BOOT | CK_BARE)
{
	ulong_t before = hatstat.hs_reap_attempts;

	(void)hat;
	check_true(htable_cache != NULL, "htable_cache is NULL");
	kmem_reap_sync();
	check_true(hatstat.hs_reap_attempts > before, "htable_reap() is not called when memory is reclaimed");
}

/* Each new slab must come from the arena that maps pages without asking for more tables than the reserve has. */
CHECK(init_arena, "init-arena", "htable_init", 6, 3, NULL, CK_BOOT | CK_BARE)
{
	size_t ours_before, others_before, grown, elsewhere;
	htable_t *all = NULL, *ht;
	uint_t n = 0;

	(void)hat;
	kmem_reap_settle();
	ours_before = vmem_inuse(hat_memload_arena);
	others_before = vmem_inuse(kmem_va_arena);
	do {
		ht = kmem_cache_alloc(htable_cache, KM_SLEEP);
		ht->ht_next = all;
		all = ht;
		grown = vmem_inuse(hat_memload_arena) - ours_before;
		elsewhere = vmem_inuse(kmem_va_arena) - others_before;
	} while (grown == 0 && elsewhere == 0 && ++n < 1000);
	for (; all != NULL; all = ht) {
		ht = all->ht_next;
		kmem_cache_free(htable_cache, all);
	}
	check_true(elsewhere == 0, "a new slab of htables came from kmem_va_arena, not from hat_memload_arena");
	check_true(grown > 0, "1000 htables were taken, and no slab");
}
