/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Becomes another program again and again: the argument counts down, the width changes where there are two.
 */
#include <user.h>

static char dirty[8192];

int
main(const char *arg)
{
	char less[2] = { (char)(arg[0] - 1), '\0' };

	if (arg[0] == '\0')
		less[0] = '6';
	for (uint32_t i = 0; i < sizeof(dirty); i++)
		must("execer", dirty[i] == 0); /* nothing is left of the one before */
	memset(dirty, 1, sizeof(dirty));
	must("execer", exec("nobody", "") == -1);
	must("execer", exec((const char *)KERNEL_ADDRESS, "") == -1);
	if (arg[0] == '0')
		done("execer", 6);
	(void)exec(PROGRAM_OTHER, less);
	wrong("execer", "exec", __LINE__);
}
