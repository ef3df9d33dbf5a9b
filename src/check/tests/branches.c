/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks that take branches which nothing else takes, and the pretend machine (src/host/test_branches.c) cannot.
 */
#include <check/check.h>
#include <hat/htable_impl.h>
#include <sys/thread.h>

#define VA ((uintptr_t)0x40000000)

struct wanted {
	hat_t *hat;
	level_t level;
};

static void
create_at(void *arg)
{
	const struct wanted *w = arg;

	htable_release(htable_create(w->hat, VA, w->level, NULL));
}

/** B73: levels below the lowest and above the top do not exist. */
CHECK(branches_level, "branches-level", NULL, 0, 0, NULL, 0)
{
	const level_t none[] = { -1, TOP_LEVEL(hat) + 1 };
	char text[160];

	for (uint_t i = 0; i < NELEM(none); i++)
		check_true(check_panics(create_at, &(struct wanted){ hat, none[i] }, text, sizeof(text)),
		    "a table of level %d was made", none[i]);
}

struct finding {
	hat_t *hat;
	bool create;
	htable_t *volatile found;
};

static void
find(void *arg)
{
	struct finding *f = arg;

	f->found = f->create ? htable_create(f->hat, VA, 0, NULL) : htable_lookup(f->hat, VA, 0);
}

/** Another thread wants it while it is cut, and gets it once it is back. */
static void
wait_for_it(htable_t *ht, kmutex_t *lock, bool create)
{
	struct finding f = { ht->ht_hat, create, NULL };
	kthread_t *t = thread_create("find", find, &f);
	htable_t *early;

	thread_delay(5);
	early = f.found;
	mutex_enter(lock);
	htable_uncut(ht);
	mutex_exit(lock);
	thread_join(t);
	check_eq((uintptr_t)early, 0, "the table while it is being emptied");
	check_eq((uintptr_t)f.found, (uintptr_t)ht, "the table once it is back");
	htable_release(f.found);
}

/** A table that is being emptied: who may sleep waits until it is back or gone, who may not finds it as it is. */
CHECK(branches_cut, "branches-cut", NULL, 0, 0, NULL, 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL), *found;
	kmutex_t *lock = htable_lock(hat, htable_hash(hat, ht->ht_vaddr, ht->ht_level));

	for (int create = 0; create < 2; create++) {
		mutex_enter(lock);
		htable_cut(ht);
		mutex_exit(lock);
		kpreempt_disable();
		found = htable_lookup(hat, VA, 0);
		kpreempt_enable();
		check_eq((uintptr_t)found, (uintptr_t)ht, "the table, with preemption off");
		htable_release(found);
		wait_for_it(ht, lock, create);
	}
	htable_release(ht);
}

/**
 * The slot of a table that is cut off is not free: no large page may come into it, or the table cannot come back; and who walks over it from
 * below or above stops there, for what is in the table may be there again. Here nobody may sleep, so nobody waits for the stealer.
 */
CHECK(branches_slot, "branches-slot", NULL, 0, 0, NULL, 0)
{
	htable_t *ht = htable_create(hat, VA, 0, NULL), *up = ht->ht_parent, *found = NULL;
	uintptr_t page = VA + PAGESIZE, va = VA - LEVEL_SIZE(1), end = VA + 2 * LEVEL_SIZE(1);
	uint_t slot = htable_va2entry(VA, up);
	kmutex_t *lock = htable_lock(hat, htable_hash(hat, ht->ht_vaddr, ht->ht_level));
	x86pte_t large = PT_VALID | PT_USER | PT_PAGESIZE, link = x86pte_get(up, slot);

	hat_devload(hat, page, PAGESIZE, 0xe0000, PROT_READ | PROT_USER, HAT_LOAD); /* no memory */
	mutex_enter(lock);
	htable_cut(ht);
	mutex_exit(lock);
	kpreempt_disable();
	check_eq(PTE_ISVALID(x86pte_get(up, slot)), false, "whether the MMU sees it");
	check_eq(x86pte_set(up, slot, large, NULL), LPAGE_ERROR, "a large page in its slot");
	check_true(htable_walk(hat, &found, &va, end) != 0 && found == ht, "a walk misses the table");
	check_eq(va, page, "where the walk stops");
	htable_release(found);
	kpreempt_enable();
	mutex_enter(lock);
	htable_uncut(ht);
	mutex_exit(lock);
	check_eq(x86pte_get(up, slot), link, "the slot, once the table is back");
	hat_unload(hat, page, PAGESIZE, HAT_UNLOAD);
	htable_release(ht);
}
