/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: what has been met, and how cheaply: a hash table that grows.
 */
#include <stdlib.h>
#include "search.h"

struct met {
	uint64_t key;
	uint8_t cost; /* + 1; 0: this place is free */
};

static struct met *
find(const struct set *set, uint64_t key)
{
	uint64_t i = key & (set->max - 1);

	while (set->met[i].cost != 0 && set->met[i].key != key)
		i = (i + 1) & (set->max - 1);
	return (&set->met[i]);
}

static void
grow(struct set *set)
{
	struct set old = *set;

	set->max = old.max == 0 ? 0x4000 : 2 * old.max;
	set->met = calloc(set->max, sizeof(struct met));
	if (set->met == NULL)
		abort();
	for (uint64_t i = 0; i < old.max; i++)
		if (old.met[i].cost != 0)
			*find(set, old.met[i].key) = old.met[i];
	free(old.met);
}

bool
set_met(struct set *set, uint64_t key, uint8_t cost)
{
	struct met *m;

	if (2 * set->n >= set->max)
		grow(set);
	m = find(set, key);
	if (m->cost != 0 && m->cost <= cost + 1)
		return (true);
	if (m->cost == 0)
		set->n++;
	m->key = key;
	m->cost = (uint8_t)(cost + 1);
	return (false);
}

uint8_t
set_cost(const struct set *set, uint64_t key)
{
	return ((uint8_t)(find(set, key)->cost - 1));
}

void
set_forget(struct set *set)
{
	free(set->met);
	*set = (struct set){ 0 };
}
