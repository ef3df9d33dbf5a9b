/* notices: hash-level */
/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Which chain and which lock a table belongs to.
 */
#include <hat/htable_impl.h>

/*
 * (base, level) is one number: a base is a multiple of 2^21 at least, so the level fits below it. Multiplied by an odd number that
 * nobody knows, two such numbers agree in n bits of the middle of the product with a probability of about 2^-n, however
 * they were chosen: neither one page every 128 GiB nor a spiteful program fills one chain.
 */
uint_t
htable_hash(const hat_t *hat, uintptr_t base, level_t level)
{
	uintptr_t product = (base >> 19) * htable_secret;

	(void)level;
	(void)hat; /* chains and locks are the hat's own */
	return ((uint_t)(product >> (4 * sizeof(product))));
}
