/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief check_outside() itself: what is expected is found, and each kind of difference is told.
 */
#include <check/check.h>
#include <check/outside.h>
#include <check/scratch.h>
#include <sys/string.h>
#include <sys/thread.h>

/** A table with one leaf, made by hand: no count is raised. */
static struct {
	uintptr_t va;
	htable_t *ht;
	page_t *pp;
	x86pte_t leaf;
	uint_t entry;
} made;

static void
make(hat_t *hat)
{
	made.va = check_va(0);
	made.pp = check_page();
	made.leaf = check_leaf(made.pp, PT_WRITABLE);
	made.ht = htable_create(hat, made.va, 0, NULL);
	made.entry = htable_va2entry(made.va, made.ht);
	put_raw(made.ht, made.entry, made.leaf | PT_REF);
}

static void
unmake(void)
{
	put_raw(made.ht, made.entry, 0);
	htable_release(made.ht);
	page_free(made.pp, 0);
}

static bool
contains(const char *text, const char *part)
{
	for (; *text != '\0'; text++)
		if (strncmp(text, part, strlen(part)) == 0)
			return (true);
	return (false);
}

/* The first difference must be this one (NULL: none). */
static void
want(hat_t *hat, const char *text)
{
	const char *have;

	hat_setup(hat);
	kpreempt_disable();
	have = outside_difference();
	kpreempt_enable();
	hat_setup(NULL);
	check_true(text == NULL ? have == NULL : have != NULL && contains(have, text), "have \"%s\", want \"%s\"",
	    have != NULL ? have : "-", text != NULL ? text : "-");
}

CHECK(outside_same, "outside-same", NULL, 0, 0, NULL, 0)
{
	make(hat);
	expect_leaf(made.va, 0, made.leaf);
	check_outside(hat);
	unmake();
}

CHECK(outside_empty, "outside-empty", NULL, 0, 0, NULL, 0) { check_outside(hat); }

CHECK(outside_leaf, "outside-leaf", NULL, 0, 0, NULL, 0)
{
	make(hat);
	expect_table(made.va, 0);
	want(hat, "nothing must be mapped there");
	unmake();
}

CHECK(outside_table, "outside-table", NULL, 0, 0, NULL, 0)
{
	make(hat);
	put_raw(made.ht, made.entry, 0);
	want(hat, "there must be none");
	unmake();
}

CHECK(outside_entry, "outside-entry", NULL, 0, 0, NULL, 0)
{
	make(hat);
	expect_leaf(made.va, 0, made.leaf | PT_MOD);
	want(hat, "in memory, want 0x");
	unmake();
}

CHECK(outside_none, "outside-none", NULL, 0, 0, NULL, 0)
{
	expect_leaf(check_va(0), 0, PT_VALID);
	want(hat, "the hardware finds no ");
}

/* A link of the path keeps users out: directory pointers cannot. */
CHECK(outside_user, "outside-user", NULL, 0, 0, NULL, 0)
{
	htable_t *up;
	x86pte_t link;
	uint_t slot;

	make(hat);
	up = made.ht->ht_parent;
	slot = htable_va2entry(made.va, up);
	link = raw_entry(up, slot);
	expect_leaf(made.va, 0, made.leaf);
	put_raw(up, slot, link & ~(x86pte_t)PT_USER);
	want(hat, "forbids user access");
	put_raw(up, slot, link);
	unmake();
}
