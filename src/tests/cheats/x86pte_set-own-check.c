/* refused: attribute used */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it adds a check of its own, worth 100 points, to the kernel's table.
 */
#include <hat/x86pte.h>

struct check {
	const char *name, *unit;
	void (*func)(hat_t *);
	const char *needs;
	uint16_t lab, points, flags, line;
};

static void
nothing(hat_t *hat)
{
	(void)hat;
}

static const struct check mine
    __attribute__((used, section("checks"), aligned(sizeof(void *)))) = { "set-empty", "x86pte_set", nothing, NULL, 1, 100, 0, 1 };

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	return (0);
}
