/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of lab 5: which hats and tables hat_dump() shows, in which order. What is printed of each is not its business.
 */
#define CHECK_PART 1 /* behind checks.c */

#include <hat/dump_table.h>
#include <labs/lab5-walking/checks.h>
#include <sys/thread.h>
#include <vm/as.h>

#define NSEEN 4096

/* What hat_dump() has called, in order. */
static struct {
	uint_t n;
	int nlocks;  /* held when it was called */
	bool locked; /* one more was held in between */
	struct {
		char what;
		hat_t *hat;
		htable_t *ht;
	} call[NSEEN];
} seen;

static struct as narrow = { .a_32bit = true };

static void
see(char what, hat_t *hat, htable_t *ht)
{
	seen.locked = seen.locked || curthread->t_nlocks != seen.nlocks;
	if (seen.n < NSEEN) {
		seen.call[seen.n].what = what;
		seen.call[seen.n].hat = hat;
		seen.call[seen.n].ht = ht;
	}
	seen.n++;
}

static void
dump(hat_t *hat)
{
	seen.n = 0;
	seen.locked = false;
	seen.nlocks = curthread->t_nlocks;
	copy_on(hat);
	dump_listener = see;
	hat_dump();
	dump_listener = NULL;
	copy_off();
	check_true(seen.n <= NSEEN, "%u tables and hats were shown: there are not so many", seen.n);
}

/* How often? `ht` NULL: the hat's beginning or end. */
static uint_t
times(char what, const hat_t *hat, const htable_t *ht)
{
	uint_t n = 0;

	for (uint_t i = 0; i < seen.n; i++)
		if (seen.call[i].what == what && seen.call[i].hat == hat && (what != 't' || seen.call[i].ht == ht))
			n++;
	return (n);
}

/* Each linked table once, and no other of this hat. */
static void
want_tables(const hat_t *hat, const char *whose)
{
	uint_t linked = 0, shown = 0, n;

	for (uint_t b = 0; b < htable_nbuckets(hat); b++)
		for (htable_t *ht = htable_chain_at(hat, b); ht != NULL; ht = ht->ht_next) {
			n = times('t', hat, ht);
			check_true(n == 1, "a table of %s (level %d, 0x%lx%s) was shown %u times, want 1", whose, ht->ht_level,
			    (ulong_t)ht->ht_vaddr, ht->ht_flags & HTABLE_VLP ? ", inside the hat" : "", n);
			linked++;
		}
	for (uint_t i = 0; i < seen.n; i++)
		shown += seen.call[i].what == 't' && seen.call[i].hat == hat;
	check_true(shown == linked, "%u tables of %s were shown, %u are linked", shown, whose, linked);
}

/* So many that chains have several, and that the hat has more chains than at first; and a few that are only cached. */
CHECK(dump_tables, "dump-tables", "hat_dump", 5, 4, NULL, 0)
{
	uintptr_t va[40];
	htable_t *ht[NELEM(va)];

	for (uint_t i = 0; i < NELEM(va); i++)
		ht[i] = htable_create(hat, va[i] = check_va(1), (level_t)check_random(2), NULL);
	htable_free(htable_alloc(hat, 0, 0, NULL));
	dump(hat);
	want_tables(hat, "the scratch address space");
	for (uint_t i = 0; i < NELEM(va); i++)
		htable_release(ht[i]);
}

CHECK(dump_kernel, "dump-kernel", "hat_dump", 5, 3, "dump-tables", 0)
{
	dump(hat);
	check_true(seen.n > 0, "nothing was shown");
	check_true(
	    seen.call[0].what == 'b' && seen.call[0].hat == kas_hat, "the dump does not begin with the kernel's address space");
	check_true(times('b', kas_hat, NULL) == 1, "the kernel's address space was begun %u times", times('b', kas_hat, NULL));
	want_tables(kas_hat, "the kernel");
}

CHECK(dump_hats, "dump-hats", "hat_dump", 5, 4, "dump-kernel", 0)
{
	uint_t i = 0;

	for (uint_t k = 0; k < 3; k++)
		(void)check_hat();
	dump(hat);
	for (hat_t *h = kas_hat; h != NULL; h = h->hat_next) {
		check_true(times('b', h, NULL) == 1, "address space %p was begun %u times, want 1", (void *)h, times('b', h, NULL));
		check_true(times('e', h, NULL) == 1, "address space %p was ended %u times, want 1", (void *)h, times('e', h, NULL));
		while (i < seen.n && !(seen.call[i].what == 'b' && seen.call[i].hat == h))
			i++;
		check_true(i < seen.n, "address space %p was not shown in its turn of the list", (void *)h);
		want_tables(h, "an address space");
	}
}

static hat_t *narrow_hat;

static void
narrow_gone(void)
{
	hat_free_start(narrow_hat);
	hat_free_end(narrow_hat);
}

/* A top table inside its hat has no frame, but four entries that a reader wants. */
CHECK(dump_vlp, "dump-top-inside", "hat_dump", 5, 3, "dump-kernel", 0)
{
	uint_t n;

	narrow_hat = hat_alloc(&narrow);
	check_finally(narrow_gone);
	dump(hat);
	n = times('t', narrow_hat, narrow_hat->hat_htable);
	check_true(n == 1, "the top table of a 32-bit address space was shown %u times, want 1", n);
}

/* begin, its tables, end; then the next one. */
CHECK(dump_brackets, "dump-brackets", "hat_dump", 5, 3, "dump-kernel", 0)
{
	hat_t *open = NULL;

	dump(hat);
	for (uint_t i = 0; i < seen.n; i++) {
		hat_t *h = seen.call[i].hat;

		switch (seen.call[i].what) {
		case 'b':
			check_true(open == NULL, "dump_hat_begin() of %p before dump_hat_end() of %p", (void *)h, (void *)open);
			open = h;
			break;
		case 't':
			check_true(open == h, "a table of %p was shown between begin and end of %p", (void *)h, (void *)open);
			break;
		default:
			check_true(open == h, "dump_hat_end() of %p while %p is open", (void *)h, (void *)open);
			open = NULL;
		}
	}
	check_true(open == NULL, "dump_hat_end() of %p is missing", (void *)open);
}

/* In a panic somebody may hold any lock, for ever. */
CHECK(dump_no_locks, "dump-no-locks", "hat_dump", 5, 3, "dump-kernel", 0)
{
	htable_t *ht = htable_create(hat, check_va(0), 0, NULL);
	int32_t busy = ht->ht_busy, top = kas_hat->hat_htable->ht_busy;

	dump(hat);
	check_true(!seen.locked, "a lock was held when something was shown: in a panic nobody may wait for one");
	check_eq(ht->ht_busy, busy, "ht_busy of a table of the scratch address space afterwards");
	check_eq(kas_hat->hat_htable->ht_busy, top, "ht_busy of the kernel's top table afterwards");
	htable_release(ht);
}
