/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: a jump at the start of a right function leads to a wrong one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "plant.h"

#define PAGE 4096ul

static void
divert(uintptr_t from, uintptr_t to)
{
	unsigned char jump[5] = { 0xe9 };
	int32_t distance = (int32_t)(to - (from + sizeof(jump)));

	memcpy(jump + 1, &distance, sizeof(distance));
	if (mprotect((void *)(from & -PAGE), 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
		perror("sched: planting a mistake");
		exit(2);
	}
	memcpy((void *)from, jump, sizeof(jump));
}

bool
plant(const char *name)
{
	bool any = false;

	for (const struct planted *p = planted; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0) {
			divert((uintptr_t)p->right, (uintptr_t)p->wrong);
			any = true;
		}
	return (any);
}

void
plant_list(void)
{
	for (const struct planted *p = planted; p->name != NULL; p++)
		if (p == planted || strcmp(p->name, p[-1].name) != 0)
			printf("mistake %s\n", p->name);
}
