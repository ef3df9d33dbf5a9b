/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The tables of a scratch address space against what was expected of them.
 *
 * By the walker, which knows nothing of the HAT: whatever it finds must be expected, and whatever is expected must be found.
 */
#include <check/check.h>
#include <check/evidence.h>
#include <check/outside.h>
#include <check/trial.h>
#include <check/walk.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/thread.h>

#define GROWS (PT_REF | PT_MOD) /* the MMU may set these at any time */

struct expected outside_expected[OUTSIDE_MAX] FRAMEWORK;
uint_t outside_nexpected FRAMEWORK;

void
outside_start(void)
{
	outside_nexpected = 0;
}

static struct expected *
find(uint64_t va, level_t level, uint32_t table)
{
	for (uint_t i = 0; i < outside_nexpected; i++) {
		struct expected *e = &outside_expected[i];

		if (e->ex_va == va && e->ex_level == (uint32_t)level && e->ex_table == table)
			return (e);
	}
	return (NULL);
}

static void
add(uintptr_t va, level_t level, x86pte_t entry, uint32_t table)
{
	ASSERT(!trial_active() && outside_nexpected < OUTSIDE_MAX);
	if (find(va, level, table) == NULL)
		outside_expected[outside_nexpected++] = (struct expected){ va, entry, (uint32_t)level, table };
}

void
expect_table(uintptr_t va, level_t level)
{
	for (; level < mmu.max_level; level++)
		add(va & LEVEL_MASK(level + 1), level, 0, 1);
}

void
expect_leaf(uintptr_t va, level_t level, x86pte_t entry)
{
	add(va, level, entry, 0);
	expect_table(va, level);
}

/* ------------------------------------------------------------------ what is there */

static struct {
	bool seen[OUTSIDE_MAX];
	char text[128]; /* the first difference, or empty */
} look;

static const char *
size_name(level_t level)
{
	static const char *const names[] = { "4 KiB", "large", "1 GiB" };

	return (names[level]);
}

static bool
same_leaf(x86pte_t have, x86pte_t want)
{
	return ((have & ~(x86pte_t)GROWS) == (want & ~(x86pte_t)GROWS) && (have & want & GROWS) == (want & GROWS));
}

static bool
see_leaf(const walk_leaf_t *leaf, void *arg)
{
	struct expected *e = find(leaf->wl_va, leaf->wl_level, 0);

	(void)arg;
	if (e == NULL)
		snprintf(look.text, sizeof(look.text), "0x%llx is mapped by a %s page (entry 0x%llx): nothing must be mapped there",
		    (unsigned long long)leaf->wl_va, size_name(leaf->wl_level), (unsigned long long)leaf->wl_entry);
	else if (!same_leaf(leaf->wl_entry, e->ex_entry))
		snprintf(look.text, sizeof(look.text), "the level %d entry for 0x%llx is 0x%llx in memory, want 0x%llx",
		    leaf->wl_level, (unsigned long long)leaf->wl_va, (unsigned long long)leaf->wl_entry,
		    (unsigned long long)e->ex_entry);
	else if (!leaf->wl_user)
		snprintf(look.text, sizeof(look.text), "0x%llx: the leaf is right, but a table above it forbids user access",
		    (unsigned long long)leaf->wl_va);
	else
		look.seen[e - outside_expected] = true;
	return (look.text[0] == '\0');
}

/* A table that also has slots of the kernel's comes and goes for the kernel's reasons. */
static bool
see_table(uint64_t va, level_t level, x86pte_t link, void *arg)
{
	struct expected *e = find(va, level, 1);

	(void)arg;
	if (e != NULL)
		look.seen[e - outside_expected] = true;
	else if (va + LEVEL_SIZE(level + 1) - 1 < userlimit)
		snprintf(look.text, sizeof(look.text),
		    "a table of level %d is linked over 0x%llx (link 0x%llx): there must be none", level, (unsigned long long)va,
		    (unsigned long long)link);
	return (look.text[0] == '\0');
}

static void
see_missing(void)
{
	for (uint_t i = 0; i < outside_nexpected && look.text[0] == '\0'; i++) {
		const struct expected *e = &outside_expected[i];

		if (look.seen[i])
			continue;
		if (e->ex_table)
			snprintf(look.text, sizeof(look.text), "the hardware finds no table of level %u over 0x%llx", e->ex_level,
			    (unsigned long long)e->ex_va);
		else
			snprintf(look.text, sizeof(look.text), "the hardware finds no %s page at 0x%llx, want entry 0x%llx",
			    size_name((level_t)e->ex_level), (unsigned long long)e->ex_va, (unsigned long long)e->ex_entry);
	}
}

/* Tables first: a missing one explains why leaves are missing. */
const char *
outside_difference(void)
{
	walk_mode_t mode = walk_mode();
	paddr_t root = walk_root();

	memset(&look, 0, sizeof(look));
	if ((!walk_tables(mode, root, 0, userlimit - 1, see_table, NULL) ||
		!walk_range(mode, root, 0, userlimit - 1, see_leaf, NULL)) &&
	    look.text[0] == '\0')
		snprintf(look.text, sizeof(look.text), "a table that is linked lies where there is no memory");
	if (look.text[0] == '\0')
		see_missing();
	return (look.text[0] == '\0' ? NULL : look.text);
}

/* Where the host looks. Not inlined: it stands at this function's address, with the hat in CR3. */
void __attribute__((noinline)) outside_stop(hat_t *hat)
{
	__asm__ volatile("nop" : : "r"(hat) : "memory"); /* two instructions, see evidence.c */
}

void
check_outside(hat_t *hat)
{
	const char *difference;

	ASSERT(!trial_active());
	hat_setup(hat);
	kpreempt_disable();
	difference = outside_difference();
	outside_stop(hat);
	kpreempt_enable();
	hat_setup(NULL);
	check_true(difference == NULL, "%s", difference);
}
