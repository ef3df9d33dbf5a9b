/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Outside: kernel objects are the host's own, so that AddressSanitizer watches them.
 */
#include <stdio.h>
#include <stdlib.h>
#include "machine.h"

void *
machine_alloc(unsigned long size, unsigned long align)
{
	void *p;

	if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0) {
		fprintf(stderr, "host: no memory\n");
		exit(2);
	}
	return (p);
}

void
machine_free(void *p)
{
	free(p);
}

#ifndef SCHEDULES /* there sched/threads.c has them */
void
machine_lock(void)
{
}

void
machine_unlock(void)
{
}
#endif
