/* refused: refers to check_current */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: it declares the check framework's data and writes a result into it.
 */
#include <hat/x86pte.h>

struct check_run {
	const void *cr_check;
	const char *cr_copy;
	void *cr_hat;
	const char *cr_result;
};
extern struct check_run *check_current;

x86pte_t
x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr)
{
	(void)ht, (void)entry, (void)new, (void)ptr;
	check_current->cr_result = "ok";
	check_current->cr_copy = "ref";
	return (0);
}
