/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief User programs, run one after the other because the command line says so: the last thing that a plain image is graded by.
 */
#include <check/evidence.h>
#include <check/programs.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <vm/image.h>
#include <vm/process.h>

static char programs_wanted[128];
TUNABLE_STRING(programs_wanted, "programs", "NAME[,NAME...]: run these programs, one after the other, behind the tour");

static void
run_program(const char *name)
{
	const struct image *im = image_find(name);
	struct process p;

	if (im == NULL || proc_create(im, "") == NULL) {
		printf("program %s was not started\n", name);
		return;
	}
	while (proc_wait_kernel(&p) != 0) {
		printf("program %s ends with 0x%x %s\n", p.p_name, (uint_t)p.p_status, p.p_why);
		evidence_exit(p.p_name, (ulong_t)(uint_t)p.p_status);
	}
}

void
programs_main(void)
{
	char name[32];
	size_t n = 0;

	for (const char *p = programs_wanted;; p++) {
		if (*p != '\0' && *p != ',') {
			if (n < sizeof(name) - 1)
				name[n++] = *p;
			continue;
		}
		name[n] = '\0';
		if (n > 0)
			run_program(name);
		n = 0;
		if (*p == '\0')
			return;
	}
}
