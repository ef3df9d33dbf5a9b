/* refused: attribute alias */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A cheat: its function is another name of the reference's.
 */
#include <hat/x86pte.h>

extern x86pte_t x86pte_set__ref(htable_t *ht, uint_t entry, x86pte_t new, void *ptr);
x86pte_t x86pte_set(htable_t *ht, uint_t entry, x86pte_t new, void *ptr) __attribute__((alias("x86pte_set__ref")));
