/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the checks of lab 7 share.
 */
#include <labs/lab7-running-out/checks.h>

/* ------------------------------------------------------------------ globals */

static struct {
	ulong_t throttlefree, physmem;
	uint64_t force_steal, passes, reserve, can_steal, fail_after;
	uint32_t ptable_cnt;
} saved;

static struct {
	kthread_t *thread, *whom;
	void (*fn)(void);
	volatile bool stop;
} other;

void
lab7_end(void)
{
	throttlefree = saved.throttlefree;
	physmem = saved.physmem;
	force_steal = saved.force_steal;
	htable_steal_passes = saved.passes;
	htable_reserve_amount = saved.reserve;
	can_steal_post_boot = saved.can_steal;
	page_fail_after = saved.fail_after;
	ptable_cnt = saved.ptable_cnt;
	other_join();
}

void
lab7_start(void)
{
	saved.throttlefree = throttlefree;
	saved.physmem = physmem;
	saved.force_steal = force_steal;
	saved.passes = htable_steal_passes;
	saved.reserve = htable_reserve_amount;
	saved.can_steal = can_steal_post_boot;
	saved.fail_after = page_fail_after;
	saved.ptable_cnt = ptable_cnt;
	check_finally(lab7_end);
}

/* ------------------------------------------------------------------ somebody else */

static void
other_main(void *arg)
{
	(void)arg;
	other.fn();
}

void
other_start(void (*fn)(void))
{
	other.fn = fn;
	other.stop = false;
	other.whom = curthread;
	other.thread = thread_create("other", other_main, NULL);
}

bool
other_stopped(void)
{
	return (other.stop);
}

void
other_join(void)
{
	kthread_t *t = other.thread;

	other.stop = true;
	other.thread = NULL;
	if (t != NULL)
		thread_join(t);
}

bool
other_sees_sleep(uint64_t ticks)
{
	for (uint64_t i = 0; i < ticks && !other.stop; i++) {
		if (other.whom->t_state == T_SLEEP)
			return (true);
		thread_delay(1);
	}
	return (false);
}

kthread_t *
other_whom(void)
{
	return (other.whom);
}

/* ------------------------------------------------------------------ address spaces to rob */

void
map(hat_t *hat, uintptr_t va, uint_t n, page_t *pp)
{
	for (uint_t i = 0; i < n; i++)
		hat_memload(hat, va + i * PAGESIZE, pp, RW, HAT_LOAD);
}

void
unmap(hat_t *hat)
{
	hat_unload(hat, VA, 64 * LEVEL_SIZE(1), HAT_UNLOAD);
}

void
make_cached(hat_t *hat, uint_t n)
{
	page_t *pp = check_page();

	for (uint_t i = 0; i < n; i++)
		map(hat, VA + i * LEVEL_SIZE(1), 1, pp);
	hat_unload(hat, VA, n * LEVEL_SIZE(1), HAT_UNLOAD);
	page_free(pp, 0);
}

uint_t
cached(hat_t *hat)
{
	uint_t n = 0;

	mutex_enter(&hat->hat_mutex);
	for (htable_t *ht = hat->hat_ht_cached; ht != NULL; ht = ht->ht_next)
		n++;
	mutex_exit(&hat->hat_mutex);
	return (n);
}

static uint_t
count(hat_t *hat, bool (*wanted)(const htable_t *, level_t, int32_t), level_t level, int32_t valid)
{
	uint_t n = 0;

	for (uint_t b = 0; b < htable_nbuckets(hat); b++) {
		mutex_enter(htable_lock(hat, b));
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next)
			n += wanted(ht, level, valid);
		mutex_exit(htable_lock(hat, b));
	}
	return (n);
}

static bool
has_entries(const htable_t *ht, level_t level, int32_t valid)
{
	return (ht->ht_level == level && ht->ht_valid_cnt >= valid);
}

static bool
is_empty(const htable_t *ht, level_t level, int32_t valid)
{
	(void)level, (void)valid;
	return (ht->ht_valid_cnt == 0 && ht->ht_busy == 0 && ht->ht_parent != NULL);
}

uint_t
linked(hat_t *hat, level_t level, int32_t valid)
{
	return (count(hat, has_entries, level, valid));
}

uint_t
empty(hat_t *hat)
{
	return (count(hat, is_empty, 0, 0));
}

uint_t
give_back(htable_t *loot)
{
	htable_t *next;
	uint_t n = 0;

	for (; loot != NULL; loot = next, n++) {
		next = loot->ht_next;
		htable_free(loot);
	}
	return (n);
}
